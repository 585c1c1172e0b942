package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// verdictsSince is the version of commands that brought verdicts.
var verdictsSince = state.Needs(state.Reconcile{Verdicts: []state.Verdict{{}}})

// judged are the seats of the service, each arranged and handed over, once the
// update is judged: what that comes to is recorded, and the decision goes on from the
// state in which it is. A service that goes back to its last good generation may be
// there at once.
func (w *work) judged() ([]*seat, error) {
	stops := len(w.out.Stop)
	for {
		seats, err := w.seats()
		if err != nil {
			return nil, err
		}
		w.hold(seats)
		for _, s := range seats {
			w.held = s.held
			w.arrange(s)
			w.handOver(s)
		}
		v, ok := w.verdict(seats)
		if !ok {
			return seats, nil
		}
		w.out.Stop = w.out.Stop[:stops]
		*w = *newWork(w.pass, w.record(v))
	}
}

// record notes a verdict, and returns the service as it is then.
func (p *pass) record(v state.Verdict) *cluster.Service {
	p.out.Verdicts = append(p.out.Verdicts, v)
	scratch := p.view.Fork()
	scratch.Apply(p.view.Index()+1, state.Command{At: p.now, Body: state.Reconcile{Verdicts: []state.Verdict{v}}})
	p.view = scratch.View()
	s, _ := p.view.Service(v.Service)
	return s
}

// verdict judges the service, unless it was judged before. One that cannot be judged
// for a panic goes on without.
func (w *work) verdict(seats []*seat) (v state.Verdict, ok bool) {
	if !w.judges || w.svc.Outcome() != "" {
		return v, false
	}
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	v = w.judge(seats)
	v.Service = w.svc.ID
	return v, v.Outcome != ""
}

// judge says how the update, or the return, of the service went; nothing while
// that is open.
func (w *work) judge(seats []*seat) (v state.Verdict) {
	v.Generation = w.svc.Generation
	if w.svc.OnTrial() {
		seats = slices.DeleteFunc(slices.Clone(seats), func(s *seat) bool { return s.held })
	}
	var last *cluster.Task
	failing := 0
	for _, s := range seats {
		if t := w.flunked(s); t != nil {
			failing, last = failing+1, t
		}
	}
	if failing > 0 && !w.policy.Allows(failing, len(seats)) {
		if v.Outcome = w.onFailure(); v.Outcome != "" {
			v.Reason = fmt.Sprintf("%d of %d tasks failed: %s", failing, len(seats), w.whyFlunked(last))
			return v
		}
		if left, ok := w.leftWell(seats); ok {
			return state.Verdict{Generation: left, Outcome: cluster.OutcomeGood, Past: true}
		}
	}
	if !w.svc.OnTrial() && w.proven(seats) {
		v.Outcome = cluster.OutcomeGood
	}
	return v
}

// proven reports whether the generation was tried in all seats where it could be,
// and did well there for as long as new tasks are monitored.
func (w *work) proven(seats []*seat) bool {
	var done time.Time // when the last one did
	for _, s := range seats {
		how, since := w.trial(s)
		switch {
		case how == open:
			return false
		case how == passed && since.After(done):
			done = since
		}
	}
	if done.IsZero() {
		return false
	}
	done = done.Add(w.policy.Monitored())
	w.wakeAt(done)
	return !done.After(w.now)
}

// onFailure is what too many failures lead to. A service that has nothing to go
// back to goes on trying, and so does one that is on its way back, unless it is
// told to pause.
func (w *work) onFailure() cluster.Outcome {
	_, tried := w.svc.LastGood()
	switch {
	case w.policy.FailureAction == cluster.ActionPause && (tried || w.svc.Returned != nil):
		return cluster.OutcomePaused
	case tried && w.svc.Returned == nil:
		return cluster.OutcomeFailed
	}
	return ""
}

// leftWell is the newest generation that was left before it could be judged, when
// it had a task ready in every seat that it had and none had failed. It is asked for when an
// update fails and nothing is known to be good: deploys may follow each other faster than
// new tasks are monitored.
func (w *work) leftWell(seats []*seat) (generation uint64, ok bool) {
	if _, good := w.svc.LastGood(); good || w.svc.Returned != nil {
		return 0, false
	}
	for _, g := range slices.Backward(w.svc.History) {
		if g.Release.Outcome == "" && wasReady(seats, g.Number) {
			return g.Number, true
		}
	}
	return 0, false
}

// wasReady reports whether in every seat in which the generation had tasks one
// became ready, and none failed.
func wasReady(seats []*seat, generation uint64) bool {
	had := false
	for _, s := range seats {
		tasks, ready := 0, 0
		for _, t := range s.tasks {
			if t.Generation != generation {
				continue
			}
			if tasks++; !t.FailedAt.IsZero() {
				return false
			}
			if !t.ReadyAt.IsZero() {
				ready++
			}
		}
		if tasks > 0 && ready == 0 {
			return false
		}
		had = had || ready > 0
	}
	return had
}

// trial is how far a seat is with the current generation.
type trial int

const (
	open   trial = iota
	spared       // the generation cannot be tried there now: there is no room, or the node takes nothing
	passed       // its task is ready, or completed
)

// trial also returns since when a seat has passed.
func (w *work) trial(s *seat) (how trial, since time.Time) {
	t := s.holder
	switch {
	case s.pin != "" && !w.takesNew(s.pin) && (t == nil || t.Generation != w.svc.Generation):
		return spared, since
	case t == nil:
		for _, t := range s.tasks {
			if t.Desired == cluster.Running && w.completed(t) {
				return passed, readySince(t)
			}
		}
		return open, since
	case t.Generation == w.svc.Generation && w.ready(t):
		return passed, readySince(t)
	case t.Generation == w.svc.Generation && w.roomless(t):
		return spared, since
	}
	return open, since
}

// readySince is when the task was ready first; for one of a time before that was
// noted, when it changed last.
func readySince(t *cluster.Task) time.Time {
	if t.ReadyAt.IsZero() {
		return t.Updated
	}
	return t.ReadyAt
}

// flunked is the seat's newest task that failed on the way to the current
// generation, or back to it.
func (w *work) flunked(s *seat) *cluster.Task {
	var out *cluster.Task
	for _, t := range s.tasks {
		if t.Generation != w.svc.Generation || w.svc.Returned != nil && t.Created.Before(w.svc.Returned.At) {
			continue
		}
		if !t.FailedAt.IsZero() || w.overdue(t) {
			out = t
		}
	}
	return out
}

// overdue reports whether the task took too long to become ready. One that there
// was never room for is not the update's failure.
func (w *work) overdue(t *cluster.Task) bool {
	if !live(t) || !t.ReadyAt.IsZero() || t.Ready() || w.lost(t) || w.roomless(t) {
		return false
	}
	due := t.Created.Add(w.policy.Deadline())
	w.wakeAt(due)
	return !due.After(w.now)
}

// roomless reports whether the task was refused a node (it has a reason) without
// following one that could be running.
func (w *work) roomless(t *cluster.Task) bool {
	if t.Node != "" || t.Reason == "" {
		return false
	}
	prev, ok := w.view.Task(t.Replaces)
	return !ok || prev.Node == "" || w.lost(prev)
}

// whyFlunked says for people how a task failed.
func (w *work) whyFlunked(t *cluster.Task) string {
	name := fmt.Sprintf("%s.%d", w.svc.ID.Name(), t.Slot)
	if t.Node != "" {
		name += " on " + w.nodeName(t.Node)
	}
	o := &t.Observed
	switch {
	case t.FailedAt.IsZero() && t.Node == "" && t.Reason != "":
		return fmt.Sprintf("%s found no node for %s: %s", name, w.policy.Deadline(), t.Reason)
	case t.FailedAt.IsZero():
		return fmt.Sprintf("%s was not ready within %s", name, w.policy.Deadline())
	case o.Error != "":
		return name + ": " + o.Error
	case o.Health == cluster.HealthUnhealthy:
		return name + " is unhealthy"
	}
	return fmt.Sprintf("%s: exit code %d", name, o.ExitCode)
}
