package placement

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
)

// benchNodes makes n hosts in three zones, one in ten of each pool.
func benchNodes(n int) Snapshot {
	s := newSnapshot(n)
	for i := range n {
		s.addNode(&cluster.Node{
			ID:       cluster.NodeID(fmt.Sprintf("01K0000000000000000000%04d", i)),
			Name:     fmt.Sprintf("host-%d", i),
			Labels:   map[string]string{"zone": string(rune('a' + i%3)), "pool": fmt.Sprint(i / 3 % 10)},
			Capacity: cluster.Resources{MilliCPU: 128_000, Memory: 512 * gib},
		}, "", cluster.Resources{})
	}
	return s
}

// benchRequests asks for CPU and memory, in one pool and spread over the zones:
// tasks of services that are as large as said, each with demands of its own.
func benchRequests(tasks, perService int) []Request {
	reqs := make([]Request, tasks)
	for i := range reqs {
		s := i / perService
		reqs[i] = Request{
			Task:        cluster.TaskID(fmt.Sprintf("01K1000000000000000%07d", i)),
			Service:     cluster.ServiceID(fmt.Sprintf("stack/service-%d", s)),
			Resources:   cluster.Resources{MilliCPU: int64(100 + s%7*50), Memory: int64(128+s%11*64) * mib},
			Constraints: []cluster.Constraint{{Key: "node.labels.pool", Op: cluster.Equal, Value: fmt.Sprint(s % 10)}},
			Preferences: []string{"node.labels.zone"},
		}
	}
	return reqs
}

func benchPlace(b *testing.B, snap Snapshot, reqs []Request) Plan {
	var p Plan
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		p = Place(snap, reqs, 1)
	}
	spent := cpuTime(b) - before
	if len(p.Assign) != len(reqs) {
		b.Fatalf("%d of %d placed: %+v", len(p.Assign), len(reqs), p.Pending[0])
	}
	b.ReportMetric(float64(len(reqs))*float64(b.N)/spent.Seconds(), "tasks/cpu-s")
	return p
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

// BenchmarkGrouped is figure D's first half: 100,000 tasks of 100 services.
func BenchmarkGrouped(b *testing.B) {
	snap, reqs := benchNodes(10_000), benchRequests(100_000, 1000)
	benchPlace(b, snap, reqs)
}

// BenchmarkSingle is its second half: 10,000 services of one task.
func BenchmarkSingle(b *testing.B) {
	snap, reqs := benchNodes(10_000), benchRequests(10_000, 1)
	benchPlace(b, snap, reqs)
}

// BenchmarkMillion places a million tasks of a thousand services.
func BenchmarkMillion(b *testing.B) {
	snap, reqs := benchNodes(10_000), benchRequests(1_000_000, 1000)
	benchPlace(b, snap, reqs)
}

// BenchmarkGrowth shows what more nodes cost a task.
func BenchmarkGrowth(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		for _, perService := range []int{1, 100} {
			name := fmt.Sprintf("nodes=%d/service=%d", n, perService)
			b.Run(name, func(b *testing.B) {
				reqs := benchRequests(1000, perService)
				for i := range reqs {
					reqs[i].Constraints = nil
				}
				benchPlace(b, benchNodes(n), reqs)
			})
		}
	}
}

// BenchmarkFull places one task where all nodes but a few are full: the whole
// call, with the plan's copy of the nodes.
func BenchmarkFull(b *testing.B) {
	snap := benchNodes(10_000)
	for i := range snap.free {
		if i%1500 != 0 {
			snap.free[i] = vector{}
		}
		snap.load[i], snap.tasks[i] = vectorOf(snap.nodes[i].Capacity), 100
	}
	var worst []time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		if p := Place(snap, benchRequests(1, 1), uint64(i)); len(p.Assign) != 1 {
			b.Fatal(p.Pending)
		}
		worst = append(worst, time.Since(start))
	}
	b.ReportMetric(float64(percentile(worst, 99).Microseconds()), "p99-us")
}

// BenchmarkRefused is a service that fits nowhere, explained.
func BenchmarkRefused(b *testing.B) {
	snap, reqs := benchNodes(10_000), benchRequests(1000, 1000)
	for i := range reqs {
		reqs[i].Resources.MilliCPU = 200_000
	}
	for b.Loop() {
		Place(snap, reqs, 1)
	}
}

func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[(len(all)-1)*p/100]
}
