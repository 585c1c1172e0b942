package placement

import (
	"math"

	"github.com/musterhq/muster/cluster"
)

// policy says which of the nodes that may take a task is the best.
type policy struct {
	name cluster.Policy
	// apart: nodes with fewer of the service's tasks come first, whatever the
	// cost.
	apart bool
	// terms names the parts of the cost, which is their sum; less is better.
	terms []string
	rate  func(*prospect) cost
	// batch: the plan is improved once all of it is there.
	batch bool
}

// cost is what a node costs as a place for a task, by the policy's terms, the
// first ones. A full node's share is 1. It is no array: those go through memory.
type cost struct{ a, b, c float64 }

const maxTerms = 3

// prospect is a node with one more task on it.
type prospect struct {
	per    *[dims]float64 // the inverse of its capacity
	demand *vector        // what the task asks
	// load is what is held with the task, at least nominal a task, and used
	// what the host was measured to use, raised by what it was given since.
	load, used vector
	tasks      float64 // without the task
	more       bool    // more than CPU and memory may count
}

// policies is every policy, the default first; docs/placement.md says where each
// comes from and when to choose it.
var policies = []policy{
	{name: cluster.PolicyHybrid, apart: true, terms: []string{"room left", "imbalance", "hot"}, rate: hybrid},
	{name: cluster.PolicySpread, apart: true, terms: []string{"reserved"}, rate: spreadOut},
	{name: cluster.PolicyBinpack, terms: []string{"room left", "imbalance", "overfull"}, rate: binpack},
	{name: cluster.PolicyLeastUsed, terms: []string{"used or reserved"}, rate: leastUsed},
	{name: cluster.PolicyFixed, apart: true, terms: []string{"reserved"}, rate: spreadOut},
	{name: cluster.PolicyRealtime, terms: []string{"used now"}, rate: realtime},
	{name: cluster.PolicyOptimal, terms: []string{"its own time", "others' time"}, rate: optimal, batch: true},
}

// policyOf is the policy of that name, or the default.
func policyOf(name cluster.Policy) *policy {
	for i := range policies {
		if policies[i].name == name {
			return &policies[i]
		}
	}
	return &policies[0]
}

// Costs are compared and shown in millionths: finer differences are none. A
// term that is more than worst is as bad as that.
const (
	millionths = 1e6
	worst      = 1e12
)

func (c cost) sum() int64 {
	total := c.a + c.b + c.c
	if total > worst {
		total = worst
	}
	return int64(total * millionths)
}

func (c cost) parts() (out [maxTerms]int64) {
	for i, term := range [maxTerms]float64{c.a, c.b, c.c} {
		out[i] = int64(min(term, worst) * millionths)
	}
	return out
}

// spreadOut is the node's fullest dimension.
func spreadOut(n *prospect) cost { return cost{a: n.most(&n.load)} }

// binpack is Kubernetes' MostAllocated with its BalancedAllocation: the mean
// share that stays free, and how far apart the shares are. What holds more than
// it has, which tasks without reservations can bring about, comes last.
func binpack(n *prospect) cost {
	mean, deviation := n.shares()
	return cost{1 - mean, deviation, overfull(n)}
}

// leastUsed is the larger of what is reserved and what is measured, in the
// node's fullest dimension.
func leastUsed(n *prospect) cost {
	return cost{a: max(n.most(&n.load), n.most(&n.used))}
}

// realtime is the measured load alone.
func realtime(n *prospect) cost { return cost{a: n.most(&n.used)} }

// optimal is by how much the sum of the completion times grows, in units of a
// service time: on a host that shares its processors, a task takes 1/(1-load)
// times as long as alone (Kleinrock, Queueing Systems II, 1976).
func optimal(n *prospect) cost {
	busy := func(load *vector) float64 { return min(n.most(load), 0.999) }
	before, held := n.load, weight(*n.demand)
	before.sub(&held)
	with, without := 1/(1-busy(&n.load)), 1/(1-busy(&before))
	return cost{a: with, b: n.tasks * (with - without)}
}

// hot is the measured share of a host above which hybrid avoids it.
const hot = 0.8

// hybrid fills one node after the other, evenly in all dimensions, and leaves
// out hosts that are busy already. Tasks that reserve nothing are spread, as no
// one knows what they take.
func hybrid(n *prospect) cost {
	heat := max(n.most(&n.used)-hot, 0) / (1 - hot)
	if *n.demand == (vector{}) {
		return cost{n.most(&n.load), 0, heat}
	}
	mean, deviation := n.shares()
	return cost{1 - mean, deviation, heat + overfull(n)}
}

// most is the share of the fullest dimension.
func (n *prospect) most(load *vector) float64 {
	if n.more {
		return most(load, n.per)
	}
	out := 0.0 // the built-in max would mind NaN, which costs
	if cpu := float64(load[dimCPU]) * n.per[dimCPU]; cpu > out {
		out = cpu
	}
	if memory := float64(load[dimMemory]) * n.per[dimMemory]; memory > out {
		out = memory
	}
	return out
}

func most(load *vector, per *[dims]float64) float64 {
	out := 0.0
	for d := range load {
		out = max(out, float64(load[d])*per[d])
	}
	return out
}

// shares is the mean of the held shares, and their standard deviation. Of disk and
// bandwidth, which nobody is short of where nothing is held, only what is held
// counts; GPUs count wherever there are some, so that they are left to those that
// need them.
func (n *prospect) shares() (mean, deviation float64) {
	cpu, memory := float64(n.load[dimCPU])*n.per[dimCPU], float64(n.load[dimMemory])*n.per[dimMemory]
	squares, count := cpu*cpu+memory*memory, float64(always)
	mean = cpu + memory
	if n.more {
		for d := always; d < dims; d++ {
			s := float64(n.load[d]) * n.per[d]
			mean += s
			squares += s * s
			if s > 0 || d == dimGPU && n.per[d] > 0 {
				count++
			}
		}
	}
	mean /= count
	return mean, math.Sqrt(max(squares/count-mean*mean, 0))
}

// overfull is by how much a node's tasks hold more than it has.
func overfull(n *prospect) float64 { return 10 * max(n.most(&n.load)-1, 0) }
