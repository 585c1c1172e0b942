package virtual

import (
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
)

// How soon a host answers that reaches no majority. A change that an old leader
// has taken in waits until that one knows that it leads no more.
const (
	readIn   = 700 * time.Millisecond
	gatherIn = 1700 * time.Millisecond // what every node is asked for
	refuseIn = 2 * time.Second
)

// answersAlone checks what hosts say that reach no majority: what they know, at
// once and marked as possibly old, and why nothing can be changed.
func (r *ring) answersAlone(alone []*host) {
	r.Helper()
	for _, h := range alone {
		l, err := h.local()
		if err != nil {
			r.Errorf("%s: %v", h.name, err)
			continue
		}
		start := time.Now()
		st, err := get[api.Status](h, "/v1/status")
		took := time.Since(start)
		switch {
		case took > readIn:
			r.Errorf("%s took %s to answer a read", h.name, took)
		case l.Role == "worker" && !r.votes(alone) && code(err) != string(api.CodeUnavailable):
			r.Errorf("status of a worker that reaches no voter: %+v, %v", st, err)
		case r.votes(alone) && (err != nil || !st.Stale || st.Nodes != len(r.hosts)):
			r.Errorf("status of %s, a %s that is alone: %+v, %v", h.name, l.Role, st, err)
		}
		start = time.Now()
		err = h.scale(99)
		if c := code(err); c != string(api.CodeNoQuorum) && c != string(api.CodeUnavailable) {
			r.Errorf("a change through %s: %v", h.name, err)
		}
		if took := time.Since(start); took > refuseIn {
			r.Errorf("%s took %s to refuse a change", h.name, took)
		}
	}
}

// votes reports whether a voter is among the hosts.
func (r *ring) votes(hosts []*host) bool {
	return slices.ContainsFunc(hosts, func(h *host) bool {
		l, err := h.local()
		return err == nil && l.Role != "worker"
	})
}

// TestAnswersRightAfterACut asks hosts that reach no majority from the moment of
// the cut on, while they still take the old leader for one: each read is answered
// well within a second, from what the host has, and each change is refused soon.
func TestAnswersRightAfterACut(t *testing.T) {
	for name, pick := range map[string]func(r *ring) []*host{
		"a follower":               func(r *ring) []*host { return []*host{r.follower()} },
		"the leader":               func(r *ring) []*host { return []*host{r.leader()} },
		"a follower with a worker": func(r *ring) []*host { return []*host{r.follower(), r.worker()} },
		"the leader with a worker": func(r *ring) []*host { return []*host{r.leader(), r.worker()} },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 5, func(r *ring) {
				r.form()
				r.run(published(cutTasks))
				r.until(healedIn, r.whole(cutTasks))
				alone := r.isolate(pick(r)...)
				for cut := time.Now(); time.Since(cut) < 5*time.Second; r.pause(30 * time.Millisecond) {
					for _, h := range alone {
						r.readsAlone(h, time.Since(cut))
						r.refusesAlone(h, time.Since(cut))
					}
				}
				r.heal()
				r.until(healedIn, r.whole(cutTasks))
			})
		})
	}
}

func (r *ring) readsAlone(h *host, after time.Duration) {
	r.Helper()
	asked := time.Now()
	st, err := get[api.Status](h, "/v1/status")
	if took := time.Since(asked); took > readIn || err != nil || st.Nodes != len(r.hosts) {
		r.Errorf("%s, %s after the cut, took %s to answer a read: %+v, %v", h.name, after, took, st, err)
	}
	for _, path := range []string{"/v1/usage", "/v1/images"} {
		asked := time.Now()
		_, err := get[any](h, path)
		if took := time.Since(asked); took > gatherIn || err != nil {
			r.Errorf("%s, %s after the cut, took %s to answer %s: %v", h.name, after, took, path, err)
		}
	}
}

func (r *ring) refusesAlone(h *host, after time.Duration) {
	r.Helper()
	asked := time.Now()
	err := h.scale(99)
	if took := time.Since(asked); took > refuseIn || err == nil {
		r.Errorf("%s, %s after the cut, took %s to refuse a change: %v", h.name, after, took, err)
	}
}
