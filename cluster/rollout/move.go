package rollout

import (
	"time"

	"github.com/musterhq/muster/cluster"
)

// leaving reports whether the task is asked to go on on another node. It is
// treated as one of a drained node.
func (p *pass) leaving(t *cluster.Task) bool {
	if !t.Leaving(p.now) {
		return false
	}
	p.wakeAt(t.Leave.Until)
	return true
}

// voluntary reports whether the task could as well stay where it is: it is asked
// to leave, and nothing else moves it.
func (w *work) voluntary(t *cluster.Task) bool {
	return w.leaving(t) && w.current(t) && !w.drained(t) && (t.Pinned != "") == (w.svc.Spec.Mode == cluster.Global)
}

// mayMove takes one from the MoveRate for a task that could as well stay. A
// service moves one such task at a time, and only while nothing else of it is in
// transition.
func (w *work) mayMove(t *cluster.Task) bool {
	if w.moving+w.failing > 0 || w.opts.Stay[t.ID] {
		return false
	}
	if w.opts.MoveRate <= 0 {
		return true
	}
	if w.moves == nil {
		w.moves = w.countMoves()
	}
	m := w.moves
	if m.begun >= w.opts.MoveRate {
		w.wakeAt(m.first.Add(time.Minute))
		return false
	}
	m.begun++
	return true
}

// moves are those that began within the last minute.
type moves struct {
	begun int
	first time.Time // when the first of them did
}

// countMoves finds how much of the MoveRate is used: tasks that follow others
// that were asked to leave, and such others that have stopped for it and are not
// followed yet.
func (p *pass) countMoves() *moves {
	m := &moves{first: p.now}
	note := func(at time.Time) {
		if age := p.now.Sub(at); age >= 0 && age < time.Minute {
			m.begun++
			if at.Before(m.first) {
				m.first = at
			}
		}
	}
	followed := map[cluster.TaskID]bool{}
	for t := range p.view.Tasks() {
		if prev, ok := p.view.Task(t.Replaces); ok && !prev.Leave.At.IsZero() && !t.Created.Before(prev.Leave.At) {
			followed[prev.ID] = true
			note(t.Created)
		}
	}
	for t := range p.view.Tasks() {
		if !t.Leave.At.IsZero() && t.Desired == cluster.Stopped && !followed[t.ID] {
			note(t.Updated)
		}
	}
	return m
}
