package virtual

import (
	"fmt"
	"testing"
	"time"
)

// A host comes up again under another address. Nobody told the others, and its
// containers never stopped.
//
// For the others its old address is silent, as a dead host's is: what runs there
// stays where it is if it is back before they have made sure.
func TestHostMovesToAnotherAddress(t *testing.T) {
	for name, who := range map[string]func(*ring) *host{"leader": (*ring).leader, "follower": (*ring).follower, "worker": (*ring).worker} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 4, func(r *ring) {
				r.form()
				r.run(service(8))
				before := started(r.hosts...)
				h := who(r)
				h.move("10.0.0.99")
				r.until(15*time.Second, all(r.ready(r.hosts...), r.voters(3), r.addressed(h)))
				if err := h.scale(9); err != nil {
					r.Errorf("a change through the host that moved: %v", err)
				}
				r.until(15*time.Second, all(r.running(9), r.addressed(h)))
				if name != "leader" {
					r.kept(before)
				}
				// The others can reach it: what it alone runs is stopped on demand.
				r.retry(5*time.Second, func() error { return r.well().scale(1) })
				r.until(15*time.Second, r.running(1))
			})
		})
	}
}

// All hosts get new addresses while nobody runs, as in a move to another
// network. Two voters that find each other are enough to find the rest.
func TestHostsSwapAddresses(t *testing.T) {
	bubble(t, 3, func(r *ring) {
		r.form()
		r.run(service(6))
		a, b := r.host(1), r.host(2)
		a.move("10.0.0.99")
		r.until(15*time.Second, all(r.ready(r.hosts...), r.addressed(a)))
		b.move("10.0.0.1")
		r.until(15*time.Second, all(r.ready(r.hosts...), r.addressed(a), r.addressed(b), r.voters(3)))
		a.move("10.0.0.2")
		r.until(15*time.Second, all(r.ready(r.hosts...), r.addressed(a), r.addressed(b), r.voters(3)))
		r.pause(time.Minute)
		r.until(0, r.running(6))
	})
}

// addressed reports whether the cluster knows the host's address, in its nodes
// and in what it says of its tasks.
func (r *ring) addressed(h *host) func() string {
	return func() string {
		nodes, err := r.well().nodes()
		if err != nil {
			return "list the nodes: " + err.Error()
		}
		if got := nodes[h.name].Address; got != h.ip {
			return h.name + " is said to be at " + got + " and is at " + h.ip
		}
		tasks, err := r.well().tasks()
		if err != nil {
			return "list the tasks: " + err.Error()
		}
		for _, t := range tasks {
			if t.Node == h.name && t.Address != h.ip {
				return "task " + t.ID + " on " + h.name + " is said to be at " + t.Address + ", not at " + h.ip
			}
		}
		return ""
	}
}

// A host sleeps while all others but one move: through that one it finds them.
func TestOthersMoveWhileAHostSleeps(t *testing.T) {
	for name, who := range map[string]func(*ring) *host{"voter": (*ring).follower, "worker": (*ring).worker} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 5, func(r *ring) {
				r.form()
				sleeper := who(r)
				kill(sleeper)
				stays := r.worker()
				for i, h := range r.others(sleeper, stays) {
					r.pause(5 * time.Second)
					h.move(fmt.Sprintf("10.0.1.%d", i))
					r.until(30*time.Second, all(r.ready(r.others(sleeper)...), r.addressed(h)))
				}
				boot(sleeper)
				r.until(30*time.Second, all(r.ready(r.hosts...), r.voters(3)))
			})
		})
	}
}
