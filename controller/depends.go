package controller

import (
	"fmt"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement"
)

// inTurn leaves the requests of services that wait for no other. The rest stay
// pending, with the reason.
func inTurn(v state.View, reqs []placement.Request) (now []placement.Request, later []placement.Refusal) {
	reasons := map[cluster.ServiceID]string{}
	for _, r := range reqs {
		reason, known := reasons[r.Service]
		if !known {
			reason = waitsFor(v, r.Service)
			reasons[r.Service] = reason
		}
		if reason == "" {
			now = append(now, r)
		} else {
			later = append(later, placement.Refusal{Task: r.Task, Reason: reason})
		}
	}
	return now, later
}

// waitsFor says what the service waits for before its first start, or "".
func waitsFor(v state.View, id cluster.ServiceID) string {
	s, ok := v.Service(id)
	if !ok || len(s.Spec.DependsOn) == 0 || hasStarted(v, s) {
		return ""
	}
	for _, d := range s.Spec.DependsOn {
		other := cluster.NewServiceID(id.Stack(), d.Service)
		if o, ok := v.Service(other); !ok || o.Removing {
			if d.Optional {
				continue
			}
			return fmt.Sprintf("waits for service %s, which is not there; deploy it, or take it out of depends_on", other)
		}
		if word := unmet(v, other, d.Condition); word != "" {
			return fmt.Sprintf("waits for service %s %s", other, word)
		}
	}
	return ""
}

// hasStarted reports whether a task of the service was ever ready.
func hasStarted(v state.View, s *cluster.Service) bool {
	if _, good := s.LastGood(); good {
		return true
	}
	for t := range v.TasksOf(s.ID) {
		if !t.ReadyAt.IsZero() || t.Ready() || t.Completed() {
			return true
		}
	}
	return false
}

// unmet says what of the condition does not hold, or "".
func unmet(v state.View, id cluster.ServiceID, c cluster.DependCondition) string {
	for t := range v.TasksOf(id) {
		switch alive := v.Condition(t.Node) != cluster.Down; {
		case c == cluster.DependCompleted:
			if t.Completed() {
				return ""
			}
		case !alive || t.Desired != cluster.Running:
		case t.Ready(), c != cluster.DependHealthy && t.Observed.Phase == cluster.PhaseRunning:
			return ""
		}
	}
	switch c {
	case cluster.DependCompleted:
		return "to complete"
	case cluster.DependHealthy:
		return "to be healthy"
	}
	return "to start"
}
