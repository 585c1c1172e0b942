package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/integration/bench/placement/workload"
	"github.com/musterhq/muster/placement"
)

// calls is how many placements into a full cluster are timed in one run.
const calls = 300

// grown are the sizes of the clusters that show what more nodes cost.
var grown = []int{10, 100, 1000, 10_000}

// speed is how fast one core places tasks, by its own time: what else runs on the
// machine does not count.
func speed(runs int) ([]figure, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	m := speeds{runs: runs}
	m.rate("D.grouped_per_s", "100,000 tasks of 100 services", workload.Grouped())
	m.rate("D.single_per_s", "10,000 services of one task", workload.Single())
	m.million()
	m.full()
	for _, n := range grown {
		m.each(fmt.Sprintf("D.growth_single_us.%d", n), fmt.Sprintf("a task on %d nodes, services of one (µs)", n), workload.Growth(n, 1))
	}
	for _, n := range grown {
		m.each(fmt.Sprintf("D.growth_grouped_us.%d", n), fmt.Sprintf("a task on %d nodes, services of 100 (µs)", n), workload.Growth(n, 100))
	}
	return m.figures, m.err
}

// speeds are the figures of speed as they are measured; err is the first reason
// why they are none.
type speeds struct {
	runs    int
	figures []figure
	err     error
}

func (m *speeds) add(key, text string, runs ...float64) {
	m.figures = append(m.figures, figure{key, text, runs})
}

// place places all tasks as often as there are runs, and says what each took.
func (m *speeds) place(c workload.Case) (took []time.Duration, allocated []uint64) {
	for seed := range m.runs {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := cpuTime()
		p := placement.Place(c.Snapshot, c.Requests, uint64(seed))
		took = append(took, cpuTime()-began)
		runtime.ReadMemStats(&after)
		allocated = append(allocated, after.TotalAlloc-before.TotalAlloc)
		m.check(&p, &c)
	}
	return took, allocated
}

func (m *speeds) check(p *placement.Plan, c *workload.Case) {
	if m.err == nil && len(p.Assign) != len(c.Requests) {
		m.err = fmt.Errorf("%d of %d tasks were placed: %s", len(p.Assign), len(c.Requests), p.Pending[0].Reason)
	}
}

func (m *speeds) rate(key, text string, c workload.Case) {
	var runs []float64
	took, _ := m.place(c)
	for _, t := range took {
		runs = append(runs, float64(len(c.Requests))/t.Seconds())
	}
	m.add(key, text+" (tasks/s)", runs...)
}

func (m *speeds) each(key, text string, c workload.Case) {
	var runs []float64
	took, _ := m.place(c)
	for _, t := range took {
		runs = append(runs, float64(t.Microseconds())/float64(len(c.Requests)))
	}
	m.add(key, text, runs...)
}

func (m *speeds) million() {
	c := workload.Million()
	took, allocated := m.place(c)
	var seconds, bytes []float64
	for i := range took {
		seconds = append(seconds, took[i].Seconds())
		bytes = append(bytes, float64(allocated[i])/float64(len(c.Requests)))
	}
	m.add("D.million_s", "1,000,000 tasks of 1000 services (s)", seconds...)
	m.add("D.bytes_per_task", "bytes that a task of those takes", bytes...)
}

func (m *speeds) full() {
	c := workload.Full()
	var runs []float64
	for range m.runs {
		runtime.GC()
		var took []time.Duration
		for seed := range calls {
			began := cpuTime()
			p := placement.Place(c.Snapshot, c.Requests, uint64(seed))
			took = append(took, cpuTime()-began)
			m.check(&p, &c)
		}
		slices.Sort(took)
		runs = append(runs, float64(took[(calls-1)*99/100].Microseconds())/1000)
	}
	m.add("D.p99_full_ms", "one task into 10,000 full nodes, p99 (ms)", runs...)
}

// cpuTime is what this process took of all processors, the collector included.
func cpuTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err) // Linux has it
	}
	return time.Duration(t.Nano())
}
