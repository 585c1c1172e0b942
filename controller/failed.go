package controller

import (
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement"
)

// failedFor is how long a node is held to be a bad place for a service after it
// failed there.
const failedFor = 5 * time.Minute

// failedLately is how often tasks of the services that ask for a node failed on
// each node.
func failedLately(v state.View, reqs []placement.Request, now time.Time) map[cluster.ServiceID]map[cluster.NodeID]int {
	out, done := map[cluster.ServiceID]map[cluster.NodeID]int{}, map[cluster.ServiceID]bool{}
	for i := range reqs {
		s, ok := v.Service(reqs[i].Service)
		if !ok || done[s.ID] {
			continue
		}
		done[s.ID] = true
		for t := range v.TasksOf(s.ID) {
			n := failures(t, now)
			if n == 0 || t.Node == "" || t.Generation != s.Generation {
				continue
			}
			if out[s.ID] == nil {
				out[s.ID] = map[cluster.NodeID]int{}
			}
			out[s.ID][t.Node] += n
		}
	}
	return out
}

// failures is how often a task failed in a row, if the last time was lately. What
// it did before it ran well for a while is forgotten by its agent.
func failures(t *cluster.Task, now time.Time) int {
	last := t.FailedAt
	if t.Observed.Finished.After(last) {
		last = t.Observed.Finished
	}
	if last.IsZero() || now.Sub(last) >= failedFor {
		return 0
	}
	n := t.Observed.Restarts
	if finished := t.Observed.Phase == cluster.PhaseExited && t.Observed.Final; finished && !t.Completed() || n == 0 && !t.FailedAt.IsZero() {
		n++
	}
	return n
}
