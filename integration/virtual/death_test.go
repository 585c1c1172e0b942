package virtual

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFollowersHostDies(t *testing.T) {
	bubble(t, 3, func(r *ring) {
		r.form()
		r.run(service(12))
		dead := r.follower()
		kept := started(r.others(dead)...)
		kill(dead)
		began := time.Now()
		r.until(2200*time.Millisecond, r.state("down", dead))
		r.until(4*time.Second, r.serving(12))
		r.Logf("all tasks run again after %s", time.Since(began))
		if took := time.Since(began); took > 4*time.Second {
			r.Errorf("it took %s until all tasks ran again", took)
		}
		r.until(time.Second, r.running(12))
		r.kept(kept)
	})
}

func TestLeadersHostDies(t *testing.T) {
	bubble(t, 3, func(r *ring) {
		r.form()
		r.run(service(12))
		dead := r.leader()
		kept := started(r.others(dead)...)
		kill(dead)
		began := time.Now()
		r.until(6*time.Second, r.serving(12))
		r.Logf("all tasks run again after %s", time.Since(began))
		r.until(time.Second, all(r.state("down", dead), r.running(12)))
		r.kept(kept)
	})
}

func TestTwoOfFiveHostsDieAtOnce(t *testing.T) {
	bubble(t, 5, func(r *ring) {
		r.form()
		r.run(service(20))
		dead := []*host{r.leader(), r.worker()}
		kept := started(r.others(dead...)...)
		kill(dead...)
		began := time.Now()
		r.until(7*time.Second, r.serving(20))
		r.Logf("all tasks run again after %s", time.Since(began))
		r.until(time.Second, all(r.state("down", dead...), r.running(20)))
		r.kept(kept)
	})
}

// An agent's end is no host's: its containers run on, and nothing moves.
func TestAgentDies(t *testing.T) {
	for name, who := range map[string]func(*ring) *host{"leader": (*ring).leader, "follower": (*ring).follower, "worker": (*ring).worker} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 4, func(r *ring) {
				r.form()
				r.run(service(12))
				before := started(r.hosts...)
				h := who(r)
				h.killAgent()
				r.until(6*time.Second, r.state("away", h))
				r.always(30*time.Second, r.state("away", h))
				h.start()
				r.until(3*time.Second, r.ready(h))
				r.until(10*time.Second, r.running(12))
				r.pause(time.Minute)
				r.until(0, r.running(12))
				if d := cmp.Diff(before, started(r.hosts...)); d != "" {
					r.Errorf("containers changed:\n%s", d)
				}
			})
		})
	}
}

func TestAgentThatStaysAwayLosesItsTasks(t *testing.T) {
	bubble(t, 3, func(r *ring) {
		r.form()
		r.run(service(6))
		h := r.follower()
		h.killAgent()
		r.until(3*time.Second, r.state("away", h))
		r.always(55*time.Second, r.state("away", h))
		r.until(10*time.Second, r.state("down", h))
		r.until(5*time.Second, r.serving(6, r.others(h)...))
		h.start()
		r.until(20*time.Second, all(r.ready(h), r.running(6)))
	})
}

func TestDeadHostReturns(t *testing.T) {
	bubble(t, 3, func(r *ring) {
		r.form()
		r.run(service(12))
		dead := r.follower()
		kill(dead)
		r.until(5*time.Second, r.serving(12))
		boot(dead)
		r.until(30*time.Second, all(r.ready(r.hosts...), r.running(12), r.voters(3)))
		r.pause(time.Minute)
		r.until(0, r.running(12))
	})
}

// A host that was cut off stops what was replaced meanwhile, and keeps running
// what nobody else had room for.
func TestReturningHostKeepsWhatWasNotReplaced(t *testing.T) {
	bubble(t, 3, func(r *ring) {
		r.form()
		spec := service(9)
		spec.Template.Reservations.Memory = 7 << 28 // four fit a host of 8 GiB, of which other things use one
		r.run(spec)
		h := r.follower()
		before := started(h)
		r.cutBoth([]*host{h}, r.others(h))
		r.until(6*time.Second, r.serving(8, r.others(h)...)) // each of the two had room for one more
		r.heal()
		r.until(15*time.Second, all(r.ready(r.hosts...), r.running(9)))
		if after := started(h); len(after) != 1 {
			r.Errorf("the host runs %v, not the one task that nobody else had room for", after)
		} else {
			for name, since := range after {
				if before[name] != since {
					r.Errorf("container %s was %q and is %q", name, before[name], since)
				}
			}
		}
	})
}

func TestShortOutageMovesNothing(t *testing.T) {
	bubble(t, 3, func(r *ring) {
		r.form()
		r.run(service(6))
		before := started(r.hosts...)
		h := r.follower()
		r.cutBoth([]*host{h}, r.others(h))
		r.pause(900 * time.Millisecond)
		r.heal()
		r.always(30*time.Second, r.never("down", h))
		r.until(0, all(r.ready(r.hosts...), r.running(6)))
		if d := cmp.Diff(before, started(r.hosts...)); d != "" {
			r.Errorf("containers changed:\n%s", d)
		}
	})
}

// All agents die together, as when the whole fleet is upgraded badly: the next
// ones adopt every container.
func TestAllAgentsDie(t *testing.T) {
	bubble(t, 5, func(r *ring) {
		r.form()
		r.run(service(15))
		before := started(r.hosts...)
		for _, h := range r.hosts {
			h.killAgent()
		}
		r.pause(time.Minute)
		for _, h := range r.hosts {
			h.start()
		}
		r.until(20*time.Second, all(r.ready(r.hosts...), r.voters(3), r.running(15)))
		r.pause(time.Minute)
		r.until(0, r.running(15))
		if d := cmp.Diff(before, started(r.hosts...)); d != "" {
			r.Errorf("containers changed:\n%s", d)
		}
	})
}

// A power cut takes all hosts. They come back one after the other, the last one
// much later.
func TestAllHostsDie(t *testing.T) {
	bubble(t, 3, func(r *ring) {
		r.form()
		r.run(service(6))
		kill(r.hosts...)
		r.pause(10 * time.Minute)
		boot(r.host(1), r.host(2))
		r.until(30*time.Second, r.serving(6))
		boot(r.host(3))
		r.until(30*time.Second, all(r.ready(r.hosts...), r.voters(3), r.running(6)))
	})
}
