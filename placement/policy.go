package placement

import (
	"math"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/placement/packing"
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
	// priced: the cost is made of the price of room, too.
	priced bool
	// batch: the plan is improved once all of it is there.
	batch bool
}

// cost is what a node costs as a place for a task, by the policy's terms, the
// first ones. A full node's share is 1. It is no array: those go through memory.
type cost struct{ a, b, c, d float64 }

const maxTerms = 4

// prospect is a node with one more task on it.
type prospect struct {
	per    *[dims]float64 // the inverse of its capacity
	demand *vector        // what the task asks
	// load is what is held with the task, at least nominal a task, and used
	// what the host was measured to use, raised by what it was given since.
	load, used vector
	measured   bool
	tasks      float64 // without the task
	more       bool    // more than CPU and memory may count
}

// policies is every policy, the default first; docs/placement.md says where each
// comes from and when to choose it.
var policies = []policy{
	{name: cluster.PolicyHybrid, apart: true, terms: []string{"wasted", "kept", "room left", "hot"}, rate: hybrid, priced: true},
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
	return inMillionths(c.a + c.b + c.c + c.d)
}

func inMillionths(cost float64) int64 {
	if cost > worst {
		cost = worst
	}
	return int64(cost * millionths)
}

func (c cost) parts() (out [maxTerms]int64) {
	for i, term := range [maxTerms]float64{c.a, c.b, c.c, c.d} {
		out[i] = inMillionths(term)
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
	return cost{a: 1 - mean, b: deviation, c: overfull(&n.load, n.per)}
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

// heat is by how much a host is too busy that uses so much CPU and memory; nobody
// measures the others.
func heat(used *vector, per *[dims]float64) float64 {
	if over := fullest(used, per) - hot; over > 0 {
		return over / (1 - hot)
	}
	return 0
}

// hybrid spreads tasks that reserve nothing, as no one knows what they take, and
// leaves out hosts that are busy already. All others go by the price of room:
// priced.
func hybrid(n *prospect) cost {
	out := cost{c: n.most(&n.load)}
	if n.measured {
		out.d = avoided(&n.used, n.per)
	}
	return out
}

// avoided is what hybrid has a hot host cost: more than any price and any share.
func avoided(used *vector, per *[dims]float64) float64 {
	if h := heat(used, per); h > 0 {
		return 1 + h
	}
	return 0
}

// priced is hybrid's cost where room has a price. That has no bounds; it is brought
// into a range of 1, which keeps its order, so that the rest of the cost counts.
func priced(p packing.Price, busy float64) cost {
	by := bound(p.Sum())
	return cost{p.Wasted * by, p.Kept * by, p.Left * by, busy}
}

// bound is the factor that brings a price into the range.
func bound(price float64) float64 { return 0.5 / (1 + math.Abs(price)) }

// most is the share of the fullest dimension.
func (n *prospect) most(load *vector) float64 {
	if n.more {
		return most(load, n.per)
	}
	return fullest(load, n.per)
}

// fullest is the larger share, of CPU and memory.
func fullest(load *vector, per *[dims]float64) float64 {
	out := 0.0 // the built-in max would mind NaN, which costs
	if cpu := float64(load[dimCPU]) * per[dimCPU]; cpu > out {
		out = cpu
	}
	if memory := float64(load[dimMemory]) * per[dimMemory]; memory > out {
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
func overfull(load *vector, per *[dims]float64) float64 {
	if over := fullest(load, per) - 1; over > 0 {
		return 10 * over
	}
	return 0
}
