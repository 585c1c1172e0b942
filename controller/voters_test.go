package controller

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/consensus/voters"
)

// fakeVoters is a raft configuration.
type fakeVoters struct {
	mu      sync.Mutex
	roles   map[cluster.NodeID]voters.Role // nil: the node a votes
	changes []voters.Change
	at      []time.Time
	busy    bool
	overlap bool
	match   map[cluster.NodeID]uint64
	stalled map[cluster.NodeID]bool
	cures   bool                                           // a restart helps against stalling
	change  func(ctx context.Context, v *fakeVoters) error // stands in for the change itself
}

func (v *fakeVoters) Roles() map[cluster.NodeID]voters.Role {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.roles == nil {
		v.roles = map[cluster.NodeID]voters.Role{"a": voters.Voter}
	}
	return v.roles
}

func (v *fakeVoters) CaughtUp(cluster.NodeID) bool { return true }

func (v *fakeVoters) Follows(id cluster.NodeID) (uint64, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.match[id], !v.stalled[id]
}

func (v *fakeVoters) Change(ctx context.Context, ch voters.Change) error {
	v.mu.Lock()
	v.overlap = v.overlap || v.busy
	v.busy = true
	v.changes, v.at = append(v.changes, ch), append(v.at, time.Now())
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		v.busy = false
		v.mu.Unlock()
	}()
	if v.change != nil {
		return v.change(ctx, v)
	}
	time.Sleep(time.Second)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch ch.Op {
	case voters.AddNonvoter:
		v.roles[ch.Node] = voters.Nonvoter
	case voters.Promote:
		v.roles[ch.Node] = voters.Voter
	case voters.Demote:
		v.roles[ch.Node] = voters.Nonvoter
	case voters.Remove:
		delete(v.roles, ch.Node)
	case voters.Restart:
		if v.cures {
			delete(v.stalled, ch.Node)
		}
	}
	return nil
}

func TestVotersChangeOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t, newWorld(t, time.Now(), "a", "b", "c"))
		v := &fakeVoters{}
		l.cfg.Voters = v
		l.lead()
		l.beat("b", 500*time.Millisecond)
		l.beat("c", 500*time.Millisecond)
		pass(30 * time.Second)
		want := map[cluster.NodeID]voters.Role{"a": voters.Voter, "b": voters.Voter, "c": voters.Voter}
		if diff := cmp.Diff(want, maps.Clone(v.Roles())); diff != "" {
			t.Errorf("roles (-want +got):\n%s", diff)
		}
		if v.overlap || len(v.changes) != 4 {
			t.Errorf("overlap %v, changes %v", v.overlap, v.changes)
		}
		for i := 1; i < len(v.at); i++ {
			if gap := v.at[i].Sub(v.at[i-1]); gap != time.Second { // each takes a second
				t.Errorf("change %d came %s after the one before", i, gap)
			}
		}

		// A node that left goes, too.
		l.store.commit(state.RemoveNode{ID: "c"})
		pass(30 * time.Second)
		want = map[cluster.NodeID]voters.Role{"a": voters.Voter}
		if diff := cmp.Diff(want, maps.Clone(v.Roles())); diff != "" {
			t.Errorf("roles after a node left (-want +got):\n%s", diff)
		}
	})
}

func TestVotersAreLeftAloneBeforeTheBarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t, newWorld(t, time.Now(), "a", "b", "c"))
		v := &fakeVoters{}
		l.cfg.Voters = v
		l.store.barrier = func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		l.lead()
		pass(10 * time.Second)
		if len(v.changes) > 0 {
			t.Errorf("changes %v", v.changes)
		}
	})
}

// A change that fails, or does not show, is tried again at a steady pace.
func TestVotersThatDoNotChangeArePaced(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(context.Context, *fakeVoters) error
		most   int
	}{
		"fails":         {func(context.Context, *fakeVoters) error { return errors.New("no") }, 11},
		"does not show": {func(context.Context, *fakeVoters) error { return nil }, 11},
		"hangs": {func(ctx context.Context, _ *fakeVoters) error {
			<-ctx.Done()
			return ctx.Err()
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLeader(t, newWorld(t, time.Now(), "a", "b", "c"))
				v := &fakeVoters{change: tc.change}
				l.cfg.Voters = v
				l.lead()
				l.beat("b", 500*time.Millisecond)
				l.beat("c", 500*time.Millisecond)
				pass(30 * time.Second)
				if n := len(v.changes); n < 2 || n > tc.most {
					t.Errorf("%d changes within 30 s: %v", n, v.changes)
				}
			})
		})
	}
}
