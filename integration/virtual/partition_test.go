package virtual

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
)

// Two of five are cut off for two minutes. Their containers run on, and nothing
// can be changed there; the others replace what they cannot see; after the cut
// all is one cluster again and every slot has one container.
func TestPartition(t *testing.T) {
	for name, with := range map[string]func(*ring) *host{"leader": (*ring).leader, "follower": (*ring).follower} {
		t.Run("minority with the "+name, func(t *testing.T) {
			bubble(t, 5, func(r *ring) {
				r.form()
				r.run(service(15))
				minority := []*host{with(r), r.worker()}
				majority := r.others(minority...)
				before := started(minority...)
				r.cutBoth(minority, majority)
				r.until(20*time.Second, r.serving(15, majority...))
				r.until(10*time.Second, r.oneLeader(majority, minority))
				r.pause(5 * time.Second) // for so long it could be an election
				r.minorityIsReadOnly(minority)
				if err := r.leaders(majority...)[0].scale(17); err != nil {
					r.Errorf("the majority takes no change: %v", err)
				}
				r.until(10*time.Second, r.serving(17, majority...))
				r.pause(100 * time.Second)
				if d := cmp.Diff(before, started(minority...)); d != "" {
					r.Errorf("containers of isolated hosts changed:\n%s", d)
				}
				r.heal()
				took := r.until(10*time.Second, all(r.ready(r.hosts...), r.oneLeader(r.hosts, nil)))
				r.Logf("all ready %s after the cut", took)
				r.until(15*time.Second, all(r.running(17), r.voters(3)))
				r.pause(time.Minute)
				r.until(0, all(r.running(17), r.voters(3), r.everybodyAgrees()))
			})
		})
	}
}

// minorityIsReadOnly checks what is answered where no leader is in reach.
func (r *ring) minorityIsReadOnly(minority []*host) {
	r.Helper()
	for _, h := range minority {
		for what, change := range map[string]func() error{
			"a change": func() error { return h.scale(99) },
			"a deploy": func() error { return h.deploy(service(99)) },
		} {
			start := time.Now()
			err := change()
			var e *api.Error
			if !errors.As(err, &e) || e.Code != api.CodeNoQuorum && e.Code != api.CodeUnavailable {
				r.Errorf("%s through %s: %v", what, h.name, err)
			} else if !e.Lasting {
				r.Errorf("%s through %s would be tried again, in vain: %v", what, h.name, err)
			}
			if took := time.Since(start); took > 3*time.Second {
				r.Errorf("%s took %s to refuse %s", h.name, took, what)
			}
		}
	}
	st, err := get[api.Status](minority[0], "/v1/status")
	if err != nil || !st.Stale || st.Leader != "" {
		r.Errorf("status of an isolated voter: %+v, %v", st, err)
	}
}

// A link between two voters is cut, and both see the third. Nobody is taken for
// dead, and whatever happens to raft, changes go through.
func TestOneLinkIsCut(t *testing.T) {
	for name, way := range map[string]func(r *ring, a, b *host){
		"both ways":          func(r *ring, a, b *host) { r.cut(a, b); r.cut(b, a) },
		"from the leader":    func(r *ring, a, b *host) { r.cut(a, b) },
		"towards the leader": func(r *ring, a, b *host) { r.cut(b, a) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 3, func(r *ring) {
				r.form()
				r.run(service(9))
				before := started(r.hosts...)
				leader, follower := r.leader(), r.follower()
				way(r, leader, follower)
				r.always(2*time.Minute, all(r.never("down", r.hosts...), r.never("away", r.hosts...)))
				r.kept(before)
				for i, h := range r.hosts {
					r.retry(20*time.Second, func() error { return h.scale(12 + i) })
				}
				r.until(15*time.Second, r.running(14))
				r.heal()
				r.until(15*time.Second, all(r.ready(r.hosts...), r.running(14), r.voters(3)))
				r.kept(before)
			})
		})
	}
}

// A worker loses one voter after the other, never all of them.
func TestWorkerLosesOneVoterAfterTheOther(t *testing.T) {
	bubble(t, 5, func(r *ring) {
		r.form()
		r.run(service(10))
		before := started(r.hosts...)
		w := r.worker()
		var voters []*host
		for _, h := range r.hosts {
			if r.role(h, "voter", "leader")() == "" {
				voters = append(voters, h)
			}
		}
		for round := range 9 {
			r.heal()
			r.cutBoth([]*host{w}, []*host{voters[round%3], voters[(round+1)%3]})
			r.always(10*time.Second, r.never("down", w))
		}
		r.heal()
		r.until(5*time.Second, r.running(10))
		r.kept(before)
	})
}

// Every host for itself, and then together again.
func TestEverybodyIsAlone(t *testing.T) {
	bubble(t, 5, func(r *ring) {
		r.form()
		r.run(service(10))
		before := started(r.hosts...)
		var alone [][]*host
		for _, h := range r.hosts {
			alone = append(alone, []*host{h})
		}
		r.cutBoth(alone...)
		r.pause(5 * time.Minute)
		if l := r.leaders(r.hosts...); len(l) > 0 {
			r.Errorf("%v lead without a majority", l)
		}
		r.heal()
		r.until(30*time.Second, all(r.ready(r.hosts...), r.running(10), r.voters(3)))
		r.pause(time.Minute)
		r.until(0, all(r.running(10), r.everybodyAgrees()))
		r.kept(before)
	})
}

// Links come and go for some minutes; afterwards everything is as it should be.
func TestFlappingLinks(t *testing.T) {
	bubble(t, 5, func(r *ring) {
		r.form()
		r.run(service(10))
		for round := range 40 {
			a, b := r.hosts[round%5], r.hosts[(round*3+1)%5]
			if a != b {
				r.cutBoth([]*host{a}, []*host{b})
			}
			r.pause(time.Duration(700+300*(round%7)) * time.Millisecond)
			if round%3 == 2 {
				r.heal()
			}
		}
		r.heal()
		r.until(time.Minute, all(r.ready(r.hosts...), r.running(10), r.voters(3)))
		r.pause(time.Minute)
		r.until(0, all(r.running(10), r.everybodyAgrees()))
	})
}

// oneLeader reports whether exactly one of the hosts leads, and none of the others.
func (r *ring) oneLeader(of, not []*host) func() string {
	return func() string {
		if l, wrong := r.leaders(of...), r.leaders(not...); len(l) != 1 || len(wrong) > 0 {
			return fmt.Sprintf("%v lead, and %v", l, wrong)
		}
		return ""
	}
}

// everybodyAgrees compares what each node answers from its own state.
func (r *ring) everybodyAgrees() func() string {
	return func() string {
		var first []api.Task
		for i, h := range r.up() {
			tasks, err := h.tasks()
			if err != nil {
				return fmt.Sprintf("%s: %v", h.name, err)
			}
			if i == 0 {
				first = tasks
			}
			if d := cmp.Diff(first, tasks); d != "" {
				return fmt.Sprintf("%s and %s differ:\n%s", r.up()[0].name, h.name, d)
			}
		}
		return ""
	}
}

// retry sends a change again until it is taken.
func (r *ring) retry(limit time.Duration, change func() error) {
	r.Helper()
	r.until(limit, func() string {
		if err := change(); err != nil {
			return err.Error()
		}
		return ""
	})
}
