package main

import (
	"cmp"
	"slices"
)

const (
	// attempts is how many hosts are looked at, each time that the clock moves on.
	attempts = 24
	// worthwhile is the share below which a host is emptied: a fuller one takes
	// many moves, and new tasks fill it as well.
	worthwhile = 0.4
)

// consolidate empties hosts that are little used, those with the fewest tasks
// first, where all their tasks fit on other hosts in use, as long as the moves made stay below a share
// of the tasks that arrived.
func (h *hosts) consolidate(moving float64) {
	left := int(moving*float64(h.seen)) - h.moves
	if left <= 0 {
		return
	}
	var few []int
	for n, tasks := range h.tasks {
		if tasks > 0 && tasks <= left && h.share(n) < worthwhile {
			few = append(few, n)
		}
	}
	slices.SortStableFunc(few, func(a, b int) int { return cmp.Compare(h.tasks[a], h.tasks[b]) })
	for _, n := range few[:min(len(few), attempts)] {
		if tasks := len(h.on[n]); tasks > 0 && tasks <= left && h.empty(n) {
			left -= tasks
		}
	}
}

// empty moves all tasks of a host to others, or none.
func (h *hosts) empty(n int) bool {
	tasks := slices.Clone(h.on[n])
	for i, t := range tasks {
		to := h.tightestHost(n, t)
		if to < 0 {
			for _, back := range tasks[:i] {
				h.remove(back)
				h.assign(back, n)
			}
			return false
		}
		h.remove(t)
		h.assign(t, to)
	}
	h.moves += len(tasks)
	return true
}

// tightestHost is the host in use, other than n, that takes the task and has the
// least free of what the tasks need most of; negative if there is none.
func (h *hosts) tightestHost(n, t int) int {
	d := &h.churn.tasks[t].need
	scarce, total := cpu, &h.churn.host
	if h.need[memory]*total[cpu] > h.need[cpu]*total[memory] {
		scarce = memory
	}
	best := -1
	for to := range h.rooms {
		if to != n && h.fits(to, d) && (best < 0 || h.rooms[to].Free[scarce] < h.rooms[best].Free[scarce]) {
			best = to
		}
	}
	return best
}

// share is the largest share that the tasks of a host hold of a kind.
func (h *hosts) share(n int) float64 {
	used := 0.0
	for k, total := range h.total[n] {
		if total > 0 {
			used = max(used, 1-float64(h.rooms[n].Free[k])/float64(total))
		}
	}
	return used
}
