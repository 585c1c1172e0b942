package rollout

import "github.com/musterhq/muster/cluster"

// hold keeps the seats as they are that the update may not touch: all of a service
// whose update is paused, and those that a canary does not have.
func (w *work) hold(seats []*seat) {
	if w.svc.Outcome() == cluster.OutcomePaused {
		for _, s := range seats {
			s.held = true
		}
		return
	}
	if !w.svc.OnTrial() {
		return
	}
	left := w.svc.Release.Canary
	for _, s := range seats {
		s.held = !w.canary(s)
		if !s.held {
			left--
		}
	}
	for _, s := range seats {
		if s.held && left > 0 {
			s.held = false
			left--
		}
	}
}

// canary reports whether the seat has tried the current generation.
func (w *work) canary(s *seat) bool {
	for _, t := range s.tasks {
		if t.Generation == w.svc.Generation && t.Desired == cluster.Running {
			return true
		}
	}
	return false
}
