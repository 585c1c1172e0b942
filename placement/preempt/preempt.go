package preempt

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// Gap is how much higher the priority of a task must be than that of one that
// gives way to it.
const Gap = cluster.PriorityGap

// exact is up to how many candidates every set of them is tried; beyond it a set
// of more than two is found step by step and may not be the cheapest.
const exact = 12

// Need is what is asked of a node.
type Need struct {
	Priority  int
	Resources cluster.Resources
	Ports     []cluster.Port
	// Free is what the node has left; parts of it may be negative.
	Free cluster.Resources
}

// Victim is a task of the node that could give way.
type Victim struct {
	Task      cluster.TaskID
	Priority  int
	Resources cluster.Resources
	Ports     []cluster.Port
}

// Cost is what a set of victims costs: how many they are, then the highest of
// their priorities, then the sum of them.
type Cost struct{ Count, Highest, Sum int }

// Compare orders costs, the cheaper first.
func (c Cost) Compare(o Cost) int {
	return cmp.Or(cmp.Compare(c.Count, o.Count), cmp.Compare(c.Highest, o.Highest), cmp.Compare(c.Sum, o.Sum))
}

// CostOf is what a set costs.
func CostOf(set []Victim) Cost {
	c := Cost{Count: len(set)}
	for i, v := range set {
		if i == 0 || v.Priority > c.Highest {
			c.Highest = v.Priority
		}
		c.Sum += v.Priority
	}
	return c
}

// Choose finds the cheapest set of the node's tasks that makes room for need,
// by task ID; ok is false when all that may give way are not enough. Of equally
// cheap sets it takes the one whose youngest task is the youngest, and so on:
// what has run the longest stays.
func Choose(need Need, tasks []Victim) (set []Victim, ok bool) {
	var chosen, others []Victim // who must go, and who may
	for _, v := range tasks {
		if v.Priority > need.Priority-Gap {
			continue
		}
		if clash(v.Ports, need.Ports) {
			chosen = append(chosen, v)
		} else {
			others = append(others, v)
		}
	}
	free := need.Free
	for _, v := range chosen {
		free = free.Add(v.Resources)
	}
	for _, v := range tasks { // a port that nobody gives up
		if v.Priority > need.Priority-Gap && clash(v.Ports, need.Ports) {
			return nil, false
		}
	}
	// IDs are in the order of creation: the youngest first.
	slices.SortFunc(others, func(a, b Victim) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Task, a.Task))
	})
	more, ok := cover(need.Resources, free, others)
	if !ok {
		return nil, false
	}
	set = append(chosen, more...)
	slices.SortFunc(set, func(a, b Victim) int { return cmp.Compare(a.Task, b.Task) })
	return set, true
}

// cover finds the cheapest of the candidates, which are in order, that together
// with what is free hold the need.
func cover(need, free cluster.Resources, candidates []Victim) ([]Victim, bool) {
	if need.Fits(free) {
		return nil, true
	}
	all := free
	for _, v := range candidates {
		all = all.Add(v.Resources)
	}
	if !need.Fits(all) {
		return nil, false
	}
	if len(candidates) <= exact {
		return every(need, free, candidates), true
	}
	for _, v := range candidates { // one, the first in order is the cheapest
		if need.Fits(free.Add(v.Resources)) {
			return []Victim{v}, true
		}
	}
	if pair, ok := pairs(need, free, candidates); ok {
		return pair, true
	}
	return steps(need, free, candidates), true
}

// every tries all sets.
func every(need, free cluster.Resources, candidates []Victim) []Victim {
	var best []Victim
	for mask := uint(1); mask < 1<<len(candidates); mask++ {
		if best != nil && bits.OnesCount(mask) > len(best) {
			continue
		}
		sum := free
		set := make([]Victim, 0, len(candidates))
		for i := range candidates {
			if mask&(1<<i) != 0 {
				sum = sum.Add(candidates[i].Resources)
				set = append(set, candidates[i])
			}
		}
		if need.Fits(sum) && (best == nil || CostOf(set).Compare(CostOf(best)) < 0) {
			best = set
		}
	}
	return best
}

// pairs tries all sets of two.
func pairs(need, free cluster.Resources, candidates []Victim) (best []Victim, ok bool) {
	for j := range candidates {
		// Candidates are in order: no pair with a later second is cheaper in the
		// highest priority.
		if best != nil && candidates[j].Priority > CostOf(best).Highest {
			break
		}
		for i := range j {
			set := []Victim{candidates[i], candidates[j]}
			if need.Fits(free.Add(set[0].Resources).Add(set[1].Resources)) && (best == nil || CostOf(set).Compare(CostOf(best)) < 0) {
				best = set
			}
		}
	}
	return best, best != nil
}

// steps takes, again and again, the candidate that relieves the most of what is
// still short, and then leaves out whoever turned out not to be needed.
func steps(need, free cluster.Resources, candidates []Victim) []Victim {
	var set []Victim
	taken := make([]bool, len(candidates))
	sum := free
	for !need.Fits(sum) {
		best, relief := -1, 0.0
		for i, v := range candidates {
			if r := relieves(need, sum, v.Resources); !taken[i] && (best < 0 || r > relief) {
				best, relief = i, r
			}
		}
		taken[best] = true
		set, sum = append(set, candidates[best]), sum.Add(candidates[best].Resources)
	}
	slices.SortStableFunc(set, func(a, b Victim) int { return cmp.Compare(b.Priority, a.Priority) })
	for i := 0; i < len(set); {
		if without := sum.Sub(set[i].Resources); need.Fits(without) {
			sum, set = without, slices.Delete(set, i, i+1)
			continue
		}
		i++
	}
	return set
}

// relieves is the sum of the shares of what is short that r gives.
func relieves(need, free, r cluster.Resources) float64 {
	part := func(need, free, gives int64) float64 {
		short := need - free
		if short <= 0 {
			return 0
		}
		return float64(min(gives, short)) / float64(short)
	}
	return part(need.MilliCPU, free.MilliCPU, r.MilliCPU) + part(need.Memory, free.Memory, r.Memory) + part(need.Disk, free.Disk, r.Disk) +
		part(need.Bandwidth, free.Bandwidth, r.Bandwidth) + part(need.MilliGPU, free.MilliGPU, r.MilliGPU)
}

// clash reports whether two sets of host ports cannot be on one node together.
func clash(a, b []cluster.Port) bool {
	for _, p := range a {
		for _, q := range b {
			if p.Published == q.Published && p.Protocol == q.Protocol && (p.HostIP == q.HostIP || p.HostIP == "" || q.HostIP == "") {
				return true
			}
		}
	}
	return false
}
