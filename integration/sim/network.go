package sim

import (
	"time"

	"github.com/musterhq/muster/cluster/health"
)

// linked reports whether packets pass from one host to the other.
func (w *World) linked(a, b *host) bool {
	if !a.power || !b.power || a.frozen || b.frozen {
		return false
	}
	if a == b {
		return true
	}
	return w.passes(a, b) && w.passes(b, a)
}

// passes reports whether a packet of one host arrives at the other. A connection
// needs both ways.
func (w *World) passes(from, to *host) bool {
	return from == to || !from.isolated && !to.isolated && !w.cut[[2]int{from.index, to.index}]
}

// reaches reports whether b's agent answers a's.
func (w *World) reaches(a, b *host) bool { return w.linked(a, b) && b.awake() }

// delay is the way of a message, one direction.
func (w *World) delay() time.Duration {
	if w.chance(0.02) && !w.quiet {
		return w.between(50*time.Millisecond, 300*time.Millisecond) // lost and sent again
	}
	return w.between(200*time.Microsecond, 3*time.Millisecond)
}

// dial is what b's host does when a connects to its agent's port.
func (w *World) dial(a, b *host) health.Outcome {
	switch {
	case !w.linked(a, b):
		return health.Silent
	case b.agent == nil:
		return health.Refused
	}
	return health.Accepted // the kernel accepts for an agent that hangs
}

// dialTries reports the outcome of several tries that overlap by half, as
// controller.Dial makes them.
func (w *World) dialTries(a, b *host, tries int, timeout time.Duration, done func(health.Outcome)) {
	if o := w.dial(a, b); o != health.Silent || tries <= 1 {
		wait := w.delay()
		if o == health.Silent {
			wait = timeout
		}
		a.after(wait, func() { done(o) })
		return
	}
	a.after(timeout/2, func() { w.dialTries(a, b, tries-1, timeout, done) })
}

// toLeader finds the leader's host if a's calls arrive there, directly or
// through a voter that passes them on.
func (w *World) toLeader(a *host) *host {
	l := w.raft.leader
	if l == nil || !a.awake() || !l.awake() {
		return nil
	}
	if w.reaches(a, l) {
		return l
	}
	for _, v := range w.raft.voters {
		if w.reaches(a, v) && w.reaches(v, l) {
			return l
		}
	}
	return nil
}

// gossip notes who has heard of whom, and tells the leader of agents that have
// been silent for long.
func (w *World) gossip() {
	for _, a := range w.hosts {
		for _, b := range w.hosts {
			if a.awake() && b.awake() && w.passes(b, a) {
				a.heard[b.index] = w.now
			}
		}
	}
	l := w.raft.leader
	if l == nil || !l.awake() {
		return
	}
	for _, h := range w.hosts {
		silent := w.now - l.heard[h.index]
		if h != l && silent >= 3*time.Second && silent < 4*time.Second {
			l.agent.gossipDead(h)
		}
	}
}
