package controller

import (
	"cmp"
	"context"
	"slices"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// combinations is up to how many sets of hosts all are tried; beyond it only the
// fullest hosts are.
const combinations = 300

// Survives finds out by simulation how many hosts a cluster can lose. A global
// service's tasks go with their hosts; Critical are node IDs.
func Survives(ctx context.Context, v state.View, f Facts) (api.Survival, error) {
	hosts, voters := hostsByLoad(v)
	out := api.Survival{Exact: true, Quorum: max(voters-1, 0) / 2}
	before := unplaced(v)
	for k := 1; k < len(hosts); k++ {
		tried := hosts
		for choose(len(tried), k) > combinations {
			tried, out.Exact = tried[:len(tried)-1], false
		}
		for set := range subsets(tried, k) {
			after, err := Simulate(ctx, v, f, Scenario{Down: set})
			if err != nil {
				return out, err
			}
			if unplaced(after) > before {
				for _, id := range set {
					out.Critical = append(out.Critical, string(id))
				}
				return out, nil
			}
		}
		out.Hosts = k
	}
	return out, nil
}

// unplaced counts the tasks that could run elsewhere and have no place.
func unplaced(v state.View) (n int) {
	for _, t := range homeless(v, seats(v)) {
		if t.Pinned == "" {
			n++
		}
	}
	return n
}

// hostsByLoad are the hosts that are not down, those that hold the most first,
// and how many of them vote.
func hostsByLoad(v state.View) (hosts []cluster.NodeID, voters int) {
	share := map[cluster.NodeID]float64{}
	for n := range v.Nodes() {
		if n.Condition == cluster.Down {
			continue
		}
		if n.Voter {
			voters++
		}
		hosts = append(hosts, n.ID)
		held := v.Allocated(n.ID).Resources
		if n.Capacity.Memory > 0 {
			share[n.ID] = float64(held.Memory) / float64(n.Capacity.Memory)
		}
		if n.Capacity.MilliCPU > 0 {
			share[n.ID] = max(share[n.ID], float64(held.MilliCPU)/float64(n.Capacity.MilliCPU))
		}
	}
	slices.SortFunc(hosts, func(a, b cluster.NodeID) int { return cmp.Or(cmp.Compare(share[b], share[a]), cmp.Compare(a, b)) })
	return hosts, voters
}

// choose is the number of subsets of k out of n, as far as it matters.
func choose(n, k int) int {
	out := 1
	for i := 1; i <= k; i++ {
		out = out * (n - k + i) / i
		if out > combinations {
			return out
		}
	}
	return out
}

// subsets yields all subsets of k, in order. The slice is used again.
func subsets(of []cluster.NodeID, k int) func(yield func([]cluster.NodeID) bool) {
	return func(yield func([]cluster.NodeID) bool) {
		set := make([]cluster.NodeID, k)
		var fill func(at, from int) bool
		fill = func(at, from int) bool {
			if at == k {
				return yield(set)
			}
			for i := from; i <= len(of)-(k-at); i++ {
				set[at] = of[i]
				if !fill(at+1, i+1) {
					return false
				}
			}
			return true
		}
		fill(0, 0)
	}
}
