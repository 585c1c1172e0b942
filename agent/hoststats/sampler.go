package hoststats

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"
)

// Usage is one measurement of the host.
type Usage struct {
	CPUMilli   int64   // thousandths of a core in use, averaged since the previous sample
	MemoryUsed int64   // bytes that a new process could not have: total less available
	Load1      float64 // runnable and blocked tasks, averaged over a minute
}

// Sampler takes measurements. CPU counters only say something as a
// difference, so it remembers the previous ones. It is safe for concurrent
// use, but every caller shortens the window of the others: have one.
type Sampler struct {
	cores int64

	mu   sync.Mutex
	prev cpuTime
	last int64 // CPUMilli of the previous window
}

// New counts the cores and starts the first CPU window.
func New(ctx context.Context) (*Sampler, error) {
	cores, err := cpu.CountsWithContext(ctx, true)
	if err != nil {
		return nil, fmt.Errorf("count CPU cores: %w", err)
	}
	if cores == 0 {
		return nil, errors.New("count CPU cores: the kernel lists none")
	}
	s := &Sampler{cores: int64(cores)}
	if s.prev, err = readCPU(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Capacity returns what the host has: thousandths of a core, and bytes of
// memory that the kernel manages.
func (s *Sampler) Capacity(ctx context.Context) (milliCPU, memBytes int64, err error) {
	vm, err := readMemory(ctx)
	if err != nil {
		return 0, 0, err
	}
	return s.cores * 1000, int64(vm.Total), nil
}

// Sample measures the host and starts the next CPU window. Within one tick of
// the kernel's counters (10 ms) of the previous sample, and when the counters
// went backwards, it repeats the previous CPU figure.
func (s *Sampler) Sample(ctx context.Context) (Usage, error) {
	vm, err := readMemory(ctx)
	if err != nil {
		return Usage{}, err
	}
	avg, err := load.AvgWithContext(ctx)
	if err != nil {
		return Usage{}, fmt.Errorf("read load average: %w", err)
	}
	now, err := readCPU(ctx)
	if err != nil {
		return Usage{}, err
	}
	return Usage{
		CPUMilli:   s.advance(now),
		MemoryUsed: int64(vm.Total - min(vm.Available, vm.Total)),
		Load1:      avg.Load1,
	}, nil
}

func (s *Sampler) advance(now cpuTime) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	busy, total := now.busy-s.prev.busy, now.total-s.prev.total
	if total == 0 {
		return s.last
	}
	s.prev = now
	if total > 0 && busy >= 0 {
		share := min(busy/total, 1)
		s.last = int64(math.Round(share * float64(s.cores) * 1000))
	}
	return s.last
}

// cpuTime is counted since boot, in seconds summed over all cores.
type cpuTime struct{ busy, total float64 }

// readCPU counts stolen time as busy, since nobody here can have it, and
// waiting for disks as idle. Guests are already part of user and nice.
func readCPU(ctx context.Context) (cpuTime, error) {
	times, err := cpu.TimesWithContext(ctx, false)
	if err != nil {
		return cpuTime{}, fmt.Errorf("read CPU times: %w", err)
	}
	if len(times) == 0 {
		return cpuTime{}, errors.New("read CPU times: the kernel's statistics have no CPU line")
	}
	t := times[0]
	busy := t.User + t.Nice + t.System + t.Irq + t.Softirq + t.Steal
	return cpuTime{busy: busy, total: busy + t.Idle + t.Iowait}, nil
}

func readMemory(ctx context.Context) (*mem.VirtualMemoryStat, error) {
	vm, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("read memory: %w", err)
	}
	if vm.Total == 0 {
		return nil, errors.New("read memory: the kernel's statistics name no total")
	}
	return vm, nil
}
