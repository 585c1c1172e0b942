package invariants

import (
	"fmt"

	"github.com/musterhq/muster/cluster"
)

// Quiet is a cluster that nobody has disturbed for so long that what is desired
// should run.
type Quiet struct {
	State State
	Hosts []Host // of all nodes
	// Quarantined nodes take no new tasks.
	Quarantined map[cluster.NodeID]bool
	// Works reports whether a container of the template starts, stays and
	// becomes ready. What must run is only said of such.
	Works func(*cluster.Template) bool
}

// Violations are the differences between desired and actual that nothing
// excuses: every service has the tasks that it wants, those that are pending fit
// nowhere, and exactly the containers of live tasks run.
func (q Quiet) Violations() []Violation {
	c := &quiet{Quiet: q, running: map[cluster.TaskID]int{}}
	for _, h := range q.Hosts {
		c.host(h)
	}
	for s := range q.State.Services() {
		c.service(s)
	}
	return c.out
}

type quiet struct {
	Quiet
	running map[cluster.TaskID]int // containers by task
	out     []Violation
}

func (q *quiet) add(r Rule, format string, args ...any) {
	q.out = append(q.out, violation(r, format, args...))
}

// host checks that the cluster judges the host rightly and that nothing runs
// there that it does not want.
func (q *quiet) host(h Host) {
	n, ok := q.State.Node(h.Node)
	switch {
	case !ok:
		if h.Connected && len(h.Containers) > 0 {
			q.add(NotSettled, "node %s has left and still runs %d containers", h.Node, len(h.Containers))
		}
		return
	case h.Connected && n.Condition != cluster.Ready:
		q.add(NotSettled, "node %s is %s although its host is well", h.Node, n.Condition)
	case !h.Connected && n.Condition != cluster.Down:
		q.add(NotSettled, "node %s is %s although its host is dead", h.Node, n.Condition)
	}
	if !h.Connected {
		return
	}
	for _, c := range h.Containers {
		q.running[c.Task]++
		t, ok := q.State.Task(c.Task)
		switch {
		case !ok || t.Node != h.Node || !live(t):
			q.add(NotSettled, "a stray container of task %q runs on node %s", c.Task, h.Node)
		case q.running[c.Task] > 1:
			q.add(NotSettled, "task %s has %d containers", c.Task, q.running[c.Task])
		}
	}
	for _, id := range h.Ended {
		if _, ok := q.State.Service(id); !ok {
			q.add(NotSettled, "an ended container of service %s, which is gone, is left on node %s", id, h.Node)
		}
	}
	for t := range q.State.TasksOn(h.Node) {
		if t.Holds() && t.Desired == cluster.Stopped {
			q.add(NotSettled, "task %s of %s on node %s is still stopping", t.ID, t.Service, h.Node)
		}
	}
}

// seat is what a service has in one place.
type seat struct {
	name string
	live []*cluster.Task // oldest first
	over bool            // it ended for good and by its restart policy needs no other
	// last is the newest task of an earlier generation that is over for good and
	// that none has followed; tried, whether the seat has the current one.
	last  *cluster.Task
	tried bool
}

// kept reports whether the service's update leaves seats in an earlier generation.
func kept(s *cluster.Service) bool { return s.Outcome() == cluster.OutcomePaused || s.OnTrial() }

// halted reports whether the service's update is paused or a canary's, or a task of the current
// generation failed and must not be tried again by its restart policy, which
// holds the update up.
func (q *quiet) halted(s *cluster.Service) bool {
	if kept(s) {
		return true
	}
	if s.Spec.Template.Restart.Condition != cluster.RestartNever {
		return false
	}
	for t := range q.State.TasksOf(s.ID) {
		if t.Generation == s.Generation && t.Observed.Final && !completed(t) {
			return true
		}
	}
	return false
}

func (q *quiet) service(s *cluster.Service) {
	switch {
	case s.Removing:
		q.add(NotSettled, "service %s is still being removed", s.ID)
		return
	case s.SetAside != "":
		q.add(NotSettled, "service %s is set aside: %s", s.ID, s.SetAside)
		return
	case !q.Works(&s.Spec.Template):
		return
	}
	excused := excuses{pending: q.pending(s), update: q.halted(s)}
	if s.Spec.Mode == cluster.Global {
		q.global(s, excused)
		return
	}
	seats := make([]seat, s.Spec.Replicas)
	for i := range seats {
		seats[i].name = fmt.Sprintf("slot %d of %s", i+1, s.ID)
	}
	for t := range q.State.TasksOf(s.ID) {
		if t.Slot < 1 || t.Slot > len(seats) {
			if live(t) {
				q.add(NotSettled, "task %s is in slot %d of %s, which has %d replicas", t.ID, t.Slot, s.ID, len(seats))
			}
			continue
		}
		seats[t.Slot-1].add(s, t)
	}
	for i := range seats {
		q.seat(s, &seats[i], excused)
	}
}

func (s *seat) add(svc *cluster.Service, t *cluster.Task) {
	if live(t) {
		s.live = append(s.live, t)
	}
	final := t.Observed.Phase == cluster.PhaseExited && t.Observed.Final
	switch {
	case t.Generation == svc.Generation:
		s.tried = s.tried || t.Desired == cluster.Running
		s.over = s.over || final && ends(&svc.Spec.Template, t)
	case final && t.Desired == cluster.Running:
		s.last = t
	}
}

// ends reports whether by the template's restart policy nothing follows the task,
// which is over for good.
func ends(tpl *cluster.Template, t *cluster.Task) bool {
	switch tpl.Restart.Condition {
	case cluster.RestartNever:
		return true
	case cluster.RestartOnFailure:
		return completed(t)
	}
	return false
}

// left reports whether the update leaves the seat to an earlier generation.
func (s *seat) left(svc *cluster.Service) bool { return kept(svc) && (!svc.OnTrial() || !s.tried) }

// rests reports whether an earlier generation, to which the seat is left, is over
// there, or only ever tried again in vain.
func (q *quiet) rests(s *cluster.Service, at *seat) bool {
	if !at.left(s) || at.last == nil {
		return false
	}
	tpl, ok := s.Template(at.last.Generation)
	return ok && (ends(&tpl, at.last) || !q.Works(&tpl))
}

// global checks one seat a node that the service is wanted on. A node that takes
// nothing new may do without, or keep an older generation.
func (q *quiet) global(s *cluster.Service, excused excuses) {
	for n := range q.State.Nodes() {
		wanted := n.Availability != cluster.Drained && matches(s.Spec.Template.Constraints, n)
		at := seat{name: fmt.Sprintf("%s on node %s", s.ID, n.ID)}
		for t := range q.State.TasksOf(s.ID) {
			if t.Pinned == n.ID || t.Pinned == "" && t.Node == n.ID {
				at.add(s, t)
			}
		}
		switch {
		case !wanted && len(at.live) > 0:
			q.add(NotSettled, "%s: task %s is not wanted there", at.name, at.live[0].ID)
		case !wanted || q.blocked(n) != "":
		default:
			q.seat(s, &at, excused)
		}
	}
}

// pending checks the reasons of the service's tasks without a node, and reports
// whether there is one that truly fits nowhere.
func (q *quiet) pending(s *cluster.Service) (blocked bool) {
	for t := range q.State.TasksOf(s.ID) {
		if !live(t) || t.Node != "" {
			continue
		}
		switch n, fits := q.fits(s, t); {
		case fits:
			q.add(FalseReason, "task %s (slot %d of %s) is pending (%q) and fits on node %s", t.ID, t.Slot, s.ID, t.Reason, n)
		case t.Reason == "":
			q.add(FalseReason, "task %s (slot %d of %s) is pending without a reason", t.ID, t.Slot, s.ID)
		default:
			blocked = true
		}
	}
	return blocked
}

// excuses are why a service may not be as it is wanted.
type excuses struct {
	pending bool // a task truly fits nowhere: what waits for it stays as it is
	update  bool // a failure halts the update
}

// seat checks that one working task of the current generation holds the seat.
func (q *quiet) seat(s *cluster.Service, at *seat, excused excuses) {
	if len(at.live) == 0 {
		if !at.over && !excused.pending && !q.rests(s, at) {
			q.add(NotSettled, "%s: nothing is there", at.name)
		}
		return
	}
	for _, t := range at.live {
		n, known := q.State.Node(t.Node)
		old := t.Generation != s.Generation
		leaves := !known || n.Condition != cluster.Ready || n.Availability == cluster.Drained && s.Spec.Mode != cluster.Global
		switch {
		case t.Node == "" || excused.pending && (old || leaves || len(at.live) > 1):
		case old && at.left(s) && !q.works(s, t.Generation): // neither it nor its successor
		case at.over && known && n.Condition == cluster.Down: // its successor ended for good
		case len(at.live) > 1:
			q.add(NotSettled, "%s: task %s (generation %d of %d, node %s, %s) is in transition", at.name, t.ID, t.Generation, s.Generation, t.Node, t.Observed.Phase)
		case leaves || old && !excused.update:
			q.add(NotSettled, "%s: task %s (generation %d of %d, node %s) should have moved", at.name, t.ID, t.Generation, s.Generation, t.Node)
		default:
			q.runs(s, at, t)
		}
	}
}

// works reports whether containers of the service's generation do.
func (q *quiet) works(s *cluster.Service, generation uint64) bool {
	tpl, ok := s.Template(generation)
	return ok && q.Works(&tpl)
}

func (q *quiet) runs(s *cluster.Service, at *seat, t *cluster.Task) {
	if !q.works(s, t.Generation) {
		return
	}
	switch {
	case q.running[t.ID] == 0:
		q.add(NotSettled, "%s: task %s has no running container on node %s (%s, %q)", at.name, t.ID, t.Node, t.Observed.Phase, t.Observed.Error)
	case !t.Ready():
		q.add(NotSettled, "%s: task %s runs on node %s and is not ready (%s %s, %q)", at.name, t.ID, t.Node, t.Observed.Phase, t.Observed.Health, t.Observed.Error)
	}
}

// blocked says why a node takes nothing new.
func (q *quiet) blocked(n *cluster.Node) string {
	if q.Quarantined[n.ID] {
		return "quarantined"
	}
	return n.Unschedulable()
}

// fits looks for a node that could take the pending task.
func (q *quiet) fits(s *cluster.Service, t *cluster.Task) (cluster.NodeID, bool) {
	tpl, ok := s.Template(t.Generation)
	if !ok {
		return "", false
	}
	for n := range q.State.Nodes() {
		if q.blocked(n) == "" && (t.Pinned == "" || t.Pinned == n.ID) && matches(tpl.Constraints, n) && q.room(t, &tpl, n) {
			return n.ID, true
		}
	}
	return "", false
}

// room reports whether what the task needs is free on the node.
func (q *quiet) room(t *cluster.Task, tpl *cluster.Template, n *cluster.Node) bool {
	free, same := n.Capacity, 0
	devices := cluster.UsedDevices(n.Devices, nil, nil)
	for o := range q.State.TasksOn(n.ID) {
		if !o.Holds() {
			continue
		}
		free = free.Sub(needs(q.State, o))
		devices = cluster.UsedDevices(n.Devices, devices, o.Devices)
		if o.Service == t.Service && o.Desired == cluster.Running && o.ID != t.Replaces {
			same++
		}
		if _, clash := portClash(tpl.HostPorts(), o.HostPorts); clash {
			return false
		}
	}
	if _, short := cluster.ShortDevices(n.Devices, devices, tpl.Devices); short > 0 {
		return false
	}
	return tpl.Reservations.Fits(free) && (tpl.MaxPerNode == 0 || same < tpl.MaxPerNode)
}
