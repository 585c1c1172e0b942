package controller

import (
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// maxPortion bounds one command of the leader's decisions, in bytes by a rough
// and high estimate: well below what an entry of the log holds.
const maxPortion = 4 << 20

// Rough sizes of a decision's parts, encoded, without their reasons.
const (
	taskSize = 512
	partSize = 160
)

// portion is as much of a decision as one command may hold, in the order in which
// it is applied. What is left out is decided again when this is committed: every
// part stands for itself but for the stops, which make room for the others and
// come first.
func portion(r state.Reconcile, limit int) state.Reconcile {
	left := limit
	r.Conditions = take(r.Conditions, &left, func(c state.NodeCondition) int { return partSize + len(c.Reason) })
	r.Stop = take(r.Stop, &left, func(s state.StopTask) int { return partSize + len(s.Reason) })
	r.Create = take(r.Create, &left, func(t cluster.Task) int { return taskSize + len(t.Reason) + len(t.Why) })
	r.Assign = take(r.Assign, &left, func(a state.Assign) int { return partSize + len(a.Why) })
	r.Explain = take(r.Explain, &left, func(e state.Explain) int { return partSize + len(e.Reason) })
	r.SetAside = take(r.SetAside, &left, func(s state.SetAside) int { return partSize + len(s.Reason) })
	r.Forget = take(r.Forget, &left, func(cluster.ServiceID) int { return partSize })
	return r
}

// take is the beginning of a list that fits into what is left. A list that is cut
// leaves nothing for those behind it.
func take[T any](list []T, left *int, size func(T) int) []T {
	for i, one := range list {
		if *left -= size(one); *left < 0 {
			return list[:i]
		}
	}
	return list
}
