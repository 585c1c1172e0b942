package rollout

import (
	"time"

	"github.com/musterhq/muster/cluster"
)

// A task whose agent gave up is followed by another in its seat after a delay
// that grows with the failures that the state remembers.
const (
	retryMin    = 10 * time.Second
	retryMax    = 5 * time.Minute
	retryMemory = time.Hour // older failures are forgotten
)

// completed reports whether nothing asks for another generation of the task, and
// it ended well under a policy that does not restart such: its seat needs no other.
func (w *work) completed(t *cluster.Task) bool {
	if !w.current(t) || !t.Completed() {
		return false
	}
	c := w.restart(t)
	return c == cluster.RestartOnFailure || c == cluster.RestartNever
}

// restart is when the task is to be restarted: what its own generation says, as
// to its agent.
func (w *work) restart(t *cluster.Task) cluster.RestartCondition {
	tpl, kept := w.svc.Template(t.Generation)
	if !kept {
		tpl = w.svc.Spec.Template
	}
	return tpl.Restart.Condition
}

func finished(t *cluster.Task) bool {
	return t.Observed.Phase == cluster.PhaseExited && t.Observed.Final
}

// failures are the tasks of the current generation that gave up in the seat,
// since its holder if it has one, oldest first.
func (w *work) failures(s *seat) []*cluster.Task {
	var out []*cluster.Task
	for _, t := range s.tasks {
		switch {
		case t == s.holder:
			out = nil
		case w.current(t) && finished(t) && !w.completed(t):
			out = append(out, t)
		}
	}
	return out
}

// failed is the seat's newest failure that no task has followed yet.
func (w *work) failed(s *seat) *cluster.Task {
	if f := w.failures(s); len(f) > 0 && f[len(f)-1].Desired == cluster.Running {
		return f[len(f)-1]
	}
	return nil
}

// givenUp reports whether the seat's last failure was its last word, because the
// restart policy is "none". A holder that runs and only has to leave its node is
// not given up: its move is tried again.
func (w *work) givenUp(s *seat) bool {
	if t := w.failed(s); t == nil || w.restart(t) != cluster.RestartNever {
		return false
	}
	return s.holder == nil || w.lost(s.holder) || w.updates(s.holder)
}

// updates reports whether the task has to go for the update alone. One on a
// drained node has to leave that as well, whatever became of the update.
func (w *work) updates(t *cluster.Task) bool {
	return !w.current(t) && !w.drained(t)
}

// rest counts a seat that waits after a failure. One that is given up holds up
// updates, which might fail alike, and nothing else: it waits for ever.
func (w *work) rest(s *seat) {
	if w.givenUp(s) {
		w.failing++
		return
	}
	w.moving++
}

// resting reports whether the seat's last failure forbids another try now, or
// for ever.
func (w *work) resting(s *seat) bool {
	last := w.failed(s)
	if last == nil {
		return false
	}
	if w.givenUp(s) {
		return true
	}
	recent := 0
	for _, t := range w.failures(s) {
		if w.now.Sub(t.Updated) < retryMemory {
			recent++
		}
	}
	next := last.Updated.Add(retryDelay(recent))
	w.wakeAt(next)
	return next.After(w.now)
}

// retryDelay is the pause after the given number of failures.
func retryDelay(failures int) time.Duration {
	d := retryMin
	for range failures - 1 {
		if d = 2 * d; d >= retryMax {
			return retryMax
		}
	}
	return d
}
