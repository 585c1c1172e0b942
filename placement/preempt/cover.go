package preempt

import (
	"cmp"
	"math/bits"
	"slices"
)

// exact is up to how many candidates every set of them is tried; beyond it a set
// of more than two is found step by step and may not be the cheapest.
const exact = 12

// cover finds the cheapest of the candidates, which are in order, without whom
// the room holds the need.
func cover(need *Need, now room, candidates []Victim) ([]Victim, bool) {
	if now.holds(need) {
		return nil, true
	}
	empty := now.without(need, candidates...)
	if !empty.holds(need) {
		return nil, false
	}
	if len(candidates) <= exact {
		return every(need, now, candidates), true
	}
	for i := range candidates { // one, the first in order is the cheapest
		if now.without(need, candidates[i:i+1]...).holds(need) {
			return candidates[i : i+1 : i+1], true
		}
	}
	if pair, ok := pairs(need, now, candidates); ok {
		return pair, true
	}
	return steps(need, now, empty, candidates), true
}

// every tries all sets.
func every(need *Need, now room, candidates []Victim) []Victim {
	var best []Victim
	for mask := uint(1); mask < 1<<len(candidates); mask++ {
		if best != nil && bits.OnesCount(mask) > len(best) {
			continue
		}
		set := make([]Victim, 0, len(candidates))
		for i := range candidates {
			if mask&(1<<i) != 0 {
				set = append(set, candidates[i])
			}
		}
		if (best == nil || CostOf(set).Compare(CostOf(best)) < 0) && now.without(need, set...).holds(need) {
			best = set
		}
	}
	return best
}

// pairs tries all sets of two.
func pairs(need *Need, now room, candidates []Victim) (best []Victim, ok bool) {
	for j := range candidates {
		// Candidates are in order: no pair with a later second is cheaper in the
		// highest priority.
		if best != nil && candidates[j].Priority > CostOf(best).Highest {
			break
		}
		first := now.without(need, candidates[j:j+1]...)
		for i := range j {
			set := []Victim{candidates[i], candidates[j]}
			if (best == nil || CostOf(set).Compare(CostOf(best)) < 0) && first.without(need, candidates[i:i+1]...).holds(need) {
				best = set
			}
		}
	}
	return best, best != nil
}

// steps takes, again and again, the candidate that relieves the most of what is
// still short, and then leaves out whoever turned out not to be needed. Empty is
// the room without any of the candidates.
func steps(need *Need, now, empty room, candidates []Victim) []Victim {
	var set []Victim
	taken := make([]bool, len(candidates))
	for left := now; !left.holds(need); {
		short := left.short(need, empty)
		best, relief := -1, 0.0
		for i := range candidates {
			if r := short.relief(need, &candidates[i]); !taken[i] && (best < 0 || r > relief) {
				best, relief = i, r
			}
		}
		taken[best] = true
		set, left = append(set, candidates[best]), left.without(need, candidates[best:best+1]...)
	}
	slices.SortStableFunc(set, func(a, b Victim) int { return cmp.Compare(b.Priority, a.Priority) })
	for i := 0; i < len(set); {
		rest := slices.Delete(slices.Clone(set), i, i+1)
		if now.without(need, rest...).holds(need) {
			set = rest
			continue
		}
		i++
	}
	return set
}
