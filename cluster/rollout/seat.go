package rollout

import (
	"fmt"

	"github.com/musterhq/muster/cluster"
)

// seat is a place that the service fills.
type seat struct {
	slot  int
	pin   cluster.NodeID  // of a global service; else ""
	held  bool            // its task is not replaced for its generation
	tasks []*cluster.Task // oldest first, ended ones included

	holder, successor *cluster.Task // live; see the package's comment
}

// arrange finds the seat's holder and successor among its live tasks and stops
// any other.
func (w *work) arrange(s *seat) {
	for _, t := range s.tasks {
		if live(t) && !s.alive(t.Replaces) && (s.holder == nil || w.rank(t) > w.rank(s.holder)) {
			s.holder = t
		}
	}
	for _, t := range s.tasks {
		if live(t) && s.holder != nil && t.Replaces == s.holder.ID &&
			(s.successor == nil || w.rank(t) >= w.rank(s.successor)) {
			s.successor = t
		}
	}
	for _, t := range s.tasks {
		if live(t) && t != s.holder && t != s.successor {
			w.stop(t, "another task holds its slot")
		}
	}
}

// alive reports whether the seat has a live task of that ID.
func (s *seat) alive(id cluster.TaskID) bool {
	for _, t := range s.tasks {
		if t.ID == id {
			return live(t)
		}
	}
	return false
}

// rank orders tasks that contend for a seat: better ones are higher. One that was
// ready on a node that is away runs on there.
func (w *work) rank(t *cluster.Task) int {
	r := 0
	switch {
	case w.ready(t):
		r += 4
	case t.Ready() && !w.lost(t):
		r += 2
	}
	if t.Generation == w.svc.Generation {
		r++
	}
	return r
}

// settle decides about one seat, which is arranged, what needs no budget, counts it
// when it is in transition, and queues it when its running holder has to move.
func (w *work) settle(s *seat) {
	for s.holder != nil && w.gone(s.holder) {
		w.stop(s.holder, w.whyMove(s.holder))
		s.holder, s.successor = s.successor, nil
	}
	switch {
	case s.holder == nil:
		w.fill(s)
	case s.successor != nil:
		w.tend(s)
	case w.lost(s.holder):
		w.replaceLost(s)
	case w.whyMove(s.holder) != "":
		w.queueMove(s)
	default:
		w.count(s.holder)
	}
}

// handOver stops a holder whose successor is ready or has completed.
func (w *work) handOver(s *seat) {
	if s.holder == nil {
		return
	}
	if s.successor != nil {
		if w.ready(s.successor) && (w.current(s.successor) || !w.current(s.holder) || !w.ready(s.holder)) {
			w.stop(s.holder, w.whyStopped(s.holder)).For = s.successor.ID
			s.holder, s.successor = s.successor, nil
		}
		return
	}
	for _, t := range s.tasks {
		if t.Replaces == s.holder.ID && t.Desired == cluster.Running && w.completed(t) {
			w.stop(s.holder, w.whyStopped(s.holder))
			s.holder = nil
			return
		}
	}
}

// tend looks after a successor that is not ready: it is withdrawn when its
// holder is well again, and replaced when it cannot become ready.
func (w *work) tend(s *seat) {
	why := w.whyMove(s.holder)
	unfit := w.whyMove(s.successor)
	if why == "" && w.ready(s.holder) {
		switch {
		case unfit != "":
		case w.svc.Outcome() == cluster.OutcomePaused:
			unfit = "withdrawn: the update is paused"
		case !s.holder.Leave.Until.IsZero():
			unfit = fmt.Sprintf("withdrawn: it stays on node %s, which it is not to leave any more", w.nodeName(s.holder.Node))
		default:
			unfit = fmt.Sprintf("withdrawn: node %s is back", w.nodeName(s.holder.Node))
		}
		w.stopIdle(s.successor, unfit)
		return
	}
	if unfit != "" {
		w.stopIdle(s.successor, unfit)
		if why != "" {
			w.count(w.create(s, s.holder.ID))
		}
		return
	}
	w.count(s.successor)
}

// replaceLost makes a successor for a task on a node that is down. The task of
// a global service waits for its node.
func (w *work) replaceLost(s *seat) {
	switch {
	case s.pin != "":
	case w.resting(s):
		w.rest(s)
	case !w.mayReplaceLost():
		w.moving++
	default:
		w.count(w.create(s, s.holder.ID))
	}
}

// queueMove prepares the move of a holder on a living node. One that is not
// running at all is replaced at once: that stops nothing that works.
func (w *work) queueMove(s *seat) {
	switch {
	case s.pin != "" && !w.takesNew(s.pin):
		// Its successor could not run there either.
	case w.resting(s):
		w.rest(s)
	case w.failed(s) != nil:
		w.count(w.create(s, s.holder.ID))
	case s.holder.Observed.Phase != cluster.PhaseRunning:
		w.stopIdle(s.holder, w.whyMove(s.holder))
		w.refill(s, s.holder)
	default:
		w.waiting = append(w.waiting, s)
	}
}

// fill gives an empty seat a task, unless the last one completed, or failed
// and must not or not yet be tried again.
func (w *work) fill(s *seat) {
	for _, t := range s.tasks {
		if t.Desired == cluster.Running && w.completed(t) {
			w.noteMove(t)
			return
		}
	}
	switch {
	case s.pin != "" && !w.takesNew(s.pin):
	case w.resting(s):
		w.rest(s)
	default:
		w.refill(s, nil)
	}
}

// refill creates a task in a seat without a holder; stopped is the one that
// just lost it. A stop-first service waits until what stopped is over.
func (w *work) refill(s *seat, stopped *cluster.Task) {
	var last *cluster.Task
	for _, t := range s.tasks {
		if live(t) && t != stopped {
			continue
		}
		if w.policy.Order == cluster.StopFirst && !w.over(t) {
			w.moving++
			return
		}
		if t.Node != "" {
			last = t
		}
	}
	var replaces cluster.TaskID
	if last != nil {
		replaces = last.ID
	}
	w.count(w.create(s, replaces))
}

// count notes whether a live task of the current generation leaves its seat in
// transition. One that was refused a node (it has a reason) does so only if it
// follows a task that could be running: room that never was there, or was lost,
// holds up no update.
func (w *work) count(t *cluster.Task) {
	switch {
	case w.ready(t):
		w.noteMove(t)
		if w.probation(t) {
			w.moving++
		}
	case t.Node != "":
		if !w.lost(t) {
			w.moving++
		}
	case !w.roomless(t):
		w.moving++
	}
}

// probation reports whether the update waits until the new task has done well for
// a while, because nothing else vouches for it.
func (w *work) probation(t *cluster.Task) bool {
	wait := w.policy.Monitor
	if wait == 0 && !w.svc.Spec.Template.Container.Checked() {
		wait = cluster.DefaultMonitor
	}
	if t.Replaces == "" || wait == 0 || w.svc.Outcome() != "" {
		return false
	}
	until := readySince(t).Add(wait)
	w.wakeAt(until)
	return until.After(w.now)
}

// noteMove remembers when the newest handover was complete.
func (w *work) noteMove(t *cluster.Task) {
	if at := readySince(t); t.Replaces != "" && at.After(w.lastMove) {
		w.lastMove = at
	}
}

// whyMove says why a task cannot keep its seat, or "" when it can.
func (w *work) whyMove(t *cluster.Task) string {
	switch {
	case w.gone(t):
		return "its node was removed"
	case w.lost(t):
		return fmt.Sprintf("node %s is down", w.nodeName(t.Node))
	case !w.current(t):
		if w.svc.Returned != nil {
			return fmt.Sprintf("rolled back to generation %d", w.svc.Generation)
		}
		return fmt.Sprintf("updated to generation %d", w.svc.Generation)
	case (t.Pinned != "") != (w.svc.Spec.Mode == cluster.Global):
		return fmt.Sprintf("the service became %s", w.svc.Spec.Mode)
	case w.drained(t):
		return fmt.Sprintf("node %s is drained", w.nodeName(t.Node))
	case w.leaving(t):
		return fmt.Sprintf("it is to leave node %s: %s", w.nodeName(t.Node), t.Leave.Reason)
	}
	return ""
}

func (w *work) whyStopped(holder *cluster.Task) string {
	if why := w.whyMove(holder); why != "" {
		return "replaced: " + why
	}
	return "replaced"
}
