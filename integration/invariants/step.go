package invariants

import (
	"fmt"

	"github.com/musterhq/muster/cluster"
)

// Step checks one task between two states of one history. healthy reports of a
// task that is ready before whether a container of it really runs, and whether
// whoever decided the change had to heed that; nil means that only the states
// tell.
func Step(before, after State, id cluster.TaskID, healthy func(*cluster.Task) bool) []Violation {
	was, had := before.Task(id)
	is, has := after.Task(id)
	if !had {
		return nil
	}
	if !has {
		// What is over as soon as it is stopped may go with the same command.
		svc, ok := after.Service(was.Service)
		node, there := after.Node(was.Node)
		if live(was) && ok && !svc.Removing && was.Node != "" && there && node.Condition != cluster.Down {
			return []Violation{violation(MovedBack, "task %s of %s vanished while it was wanted", id, was.Service)}
		}
		return nil
	}
	out := movedBack(was, is)
	if was.Desired == cluster.Running && is.Desired == cluster.Stopped && was.Ready() && (healthy == nil || healthy(was)) {
		if why := stoppedSoon(before, after, was); why != "" {
			out = append(out, violation(StoppedSoon, "task %s (slot %d of %s, node %s, %q) was healthy: %s", id, was.Slot, was.Service, was.Node, is.Reason, why))
		}
	}
	return out
}

func movedBack(was, is *cluster.Task) []Violation {
	var what string
	switch {
	case was.Ended() && !is.Ended():
		what = "had ended"
	case was.Desired == cluster.Stopped && is.Desired != cluster.Stopped:
		what = "was to stop"
	case was.Node != "" && is.Node != was.Node:
		what = "was on node " + string(was.Node)
	case was.Generation != is.Generation || was.Service != is.Service || was.Slot != is.Slot:
		what = "was of another slot or generation"
	case is.Observed.Restarts < was.Observed.Restarts:
		what = fmt.Sprintf("had restarted %d times, not %d", was.Observed.Restarts, is.Observed.Restarts)
	default:
		return nil
	}
	return []Violation{violation(MovedBack, "task %s of %s %s", is.ID, is.Service, what)}
}

// stoppedSoon says why the healthy task should not have been stopped, or "".
func stoppedSoon(before, after State, t *cluster.Task) string {
	svc, ok := after.Service(t.Service)
	if !ok || svc.Removing {
		return ""
	}
	node, ok := after.Node(t.Node)
	if !ok || node.Condition == cluster.Down {
		return ""
	}
	if !wanted(svc, t, node) || anotherServes(before, t, svc) || anotherServes(after, t, svc) {
		return ""
	}
	mustMove := t.Generation != svc.Generation || node.Availability == cluster.Drained ||
		(t.Pinned != "") != (svc.Spec.Mode == cluster.Global) || asked(after, t)
	switch {
	case givesWay(before, t) || givesWay(after, t):
		return ""
	case !mustMove:
		return "nothing asked for it"
	case svc.Policy().Order == cluster.StopFirst:
		return ""
	}
	return "no successor is ready"
}

// asked reports whether the task, which has stopped now, was to leave its node.
func asked(after State, t *cluster.Task) bool {
	is, ok := after.Task(t.ID)
	return ok && t.Leaving(is.Updated)
}

// givesWay reports whether a task waits for a node whose service is so much more
// important that it may have the place of t.
func givesWay(s State, t *cluster.Task) bool {
	svc, ok := s.Service(t.Service)
	if !ok {
		return false
	}
	for o := range s.Tasks() {
		if o.Node != "" || !live(o) {
			continue
		}
		by, ok := s.Service(o.Service)
		if ok && by.Spec.Placement.Preempt == "" && by.Spec.Placement.Rank() >= svc.Spec.Placement.Rank()+cluster.PriorityGap {
			return true
		}
	}
	return false
}

// wanted reports whether the service, as it is now, has a place for a task
// where t is.
func wanted(svc *cluster.Service, t *cluster.Task, n *cluster.Node) bool {
	if svc.Spec.Mode == cluster.Global {
		return n.Availability != cluster.Drained && matches(svc.Spec.Template.Constraints, n)
	}
	return t.Slot <= svc.Spec.Replicas
}

// anotherServes reports whether a task other than t does the work of its seat,
// or has completed it.
func anotherServes(s State, t *cluster.Task, svc *cluster.Service) bool {
	for o := range s.TasksOf(t.Service) {
		same := o.Slot == t.Slot || svc.Spec.Mode == cluster.Global && o.Node == t.Node
		if o.ID == t.ID || !same {
			continue
		}
		// Of two on a node that is away one may go: both run on all the same.
		n, ok := s.Node(o.Node)
		if live(o) && o.Ready() && ok && (n.Condition == cluster.Ready || o.Node == t.Node) {
			return true
		}
		if o.Replaces == t.ID && completed(o) {
			return true
		}
	}
	return false
}

func completed(t *cluster.Task) bool {
	return t.Observed.Phase == cluster.PhaseExited && t.Observed.Final && t.Observed.ExitCode == 0 && t.Observed.Error == ""
}

// matches reports whether the node satisfies the constraints; one that cannot
// be read matches nothing.
func matches(constraints []string, n *cluster.Node) bool {
	parsed, err := cluster.ParseConstraints(constraints)
	if err != nil {
		return false
	}
	for _, c := range parsed {
		if !c.Matches(n) {
			return false
		}
	}
	return true
}

// Placed checks a task that was given its node between two states: the node
// satisfies what the task's template asks. decided is the state that whoever
// placed it knew: labels may have changed since.
func Placed(before, decided, after State, id cluster.TaskID) []Violation {
	was, had := before.Task(id)
	t, has := after.Task(id)
	if !has || t.Node == "" || had && was.Node != "" {
		return nil
	}
	svc, ok := after.Service(t.Service)
	if !ok {
		return nil
	}
	tpl, ok := svc.Template(t.Generation)
	n, known := decided.Node(t.Node)
	var why string
	switch {
	case !ok || !known:
		return nil
	case t.Pinned != "" && t.Pinned != t.Node:
		why = "it is pinned to " + string(t.Pinned)
	case !matches(tpl.Constraints, n):
		why = fmt.Sprintf("the node does not satisfy %v", tpl.Constraints)
	case n.Availability != cluster.Active:
		why = "the node is " + string(n.Availability)
	case tpl.MaxPerNode > 0 && seatsBeside(before, after, t) >= tpl.MaxPerNode:
		why = fmt.Sprintf("the node has %d others of the service, at most %d together may be there", seatsBeside(before, after, t), tpl.MaxPerNode)
	default:
		return nil
	}
	return []Violation{violation(WrongPlace, "task %s (slot %d of %s) was placed on node %s: %s", id, t.Slot, t.Service, t.Node, why)}
}

// seatsBeside counts the seats that the service's wanted tasks besides t's have
// on t's node: one that is there with its successor has one. A task of another
// generation, which may ask for another limit, counts if it was there before.
func seatsBeside(before, s State, t *cluster.Task) int {
	later := func(o *cluster.Task) bool {
		was, had := before.Task(o.ID)
		return o.Generation != t.Generation && (!had || was.Node == "")
	}
	replaced := map[cluster.TaskID]bool{t.Replaces: true}
	for o := range s.TasksOn(t.Node) {
		if o.Service == t.Service && o.Holds() && o.Desired == cluster.Running {
			replaced[o.Replaces] = true
		}
	}
	n := 0
	for o := range s.TasksOn(t.Node) {
		if o.Service == t.Service && o.ID != t.ID && !replaced[o.ID] && !later(o) && o.Holds() && o.Desired == cluster.Running {
			n++
		}
	}
	return n
}

// Unwanted checks an agent that stops or removes a running container of the
// task: the newest state must not want it any more, or another container of the
// same task must run on the host.
func Unwanted(s State, node cluster.NodeID, id cluster.TaskID, others bool) []Violation {
	t, ok := s.Task(id)
	if !ok || !live(t) || others {
		return nil
	}
	return []Violation{violation(StoppedSoon, "the agent of node %s stops the container of %s (slot %d of %s), which is wanted", node, id, t.Slot, t.Service)}
}
