package placement_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/musterhq/muster/integration/bench/placement/workload"
	"github.com/musterhq/muster/placement"
)

func benchPlace(b *testing.B, c workload.Case) {
	b.Helper()
	var p placement.Plan
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		p = placement.Place(c.Snapshot, c.Requests, 1)
	}
	spent := cpuTime(b) - before
	if len(p.Assign) != len(c.Requests) {
		b.Fatalf("%d of %d placed: %+v", len(p.Assign), len(c.Requests), p.Pending[0])
	}
	b.ReportMetric(float64(len(c.Requests))*float64(b.N)/spent.Seconds(), "tasks/cpu-s")
}

// cpuTime is what the process took of all processors, the collector included: a
// figure that does not depend on what else runs on the machine.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkGrouped(b *testing.B) { benchPlace(b, workload.Grouped()) }

func BenchmarkSingle(b *testing.B) { benchPlace(b, workload.Single()) }

func BenchmarkMillion(b *testing.B) { benchPlace(b, workload.Million()) }

// BenchmarkGrowth shows what more nodes cost a task.
func BenchmarkGrowth(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		for _, perService := range []int{1, 100} {
			name := fmt.Sprintf("nodes=%d/service=%d", n, perService)
			b.Run(name, func(b *testing.B) { benchPlace(b, workload.Growth(n, perService)) })
		}
	}
}

// BenchmarkFull is the whole call, with the plan's copy of the nodes.
func BenchmarkFull(b *testing.B) {
	c := workload.Full()
	var worst []time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		if p := placement.Place(c.Snapshot, c.Requests, uint64(i)); len(p.Assign) != 1 {
			b.Fatal(p.Pending)
		}
		worst = append(worst, time.Since(start))
	}
	slices.Sort(worst)
	b.ReportMetric(float64(worst[(len(worst)-1)*99/100].Microseconds()), "p99-us")
}

// BenchmarkRefused is a service that fits nowhere, explained.
func BenchmarkRefused(b *testing.B) {
	c := workload.Refused()
	for b.Loop() {
		placement.Place(c.Snapshot, c.Requests, 1)
	}
}
