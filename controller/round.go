package controller

import (
	"slices"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/placement"
)

// nodeVisits is how many nodes placement looks at in one decision, unless the
// facts say otherwise: a part of a second of one processor, so that nodes are
// judged in time whatever waits.
const nodeVisits = 4_000_000

// from is the queue from the task that an earlier decision did not come to; all
// of it where that does not wait any more.
func from(reqs []placement.Request, task cluster.TaskID) []placement.Request {
	return reqs[max(slices.IndexFunc(reqs, func(r placement.Request) bool { return r.Task == task }), 0):]
}

// round takes the whole queue through as many decisions as it needs. Each goes on
// where the one before ended, so that tasks that find no node keep nobody behind
// them from a node.
type round struct {
	resume cluster.TaskID
	index  uint64 // of the view at its beginning
}

// next is where the decision on a view of that index goes on; "" begins a round.
func (r *round) next(index uint64) cluster.TaskID {
	if r.resume == "" {
		r.index = index
	}
	return r.resume
}

// note takes in a decision, and reports whether another is due at once: the queue
// has not ended, or what its first tasks were told may hold no more.
func (r *round) note(index uint64, d *Decision) (again bool) {
	r.resume = d.Resume
	return d.Resume != "" || index != r.index
}

// stop ends the round: the last decision came to nothing.
func (r *round) stop() { r.resume = "" }
