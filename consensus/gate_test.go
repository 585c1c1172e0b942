package consensus

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// newer is a command as a newer version would propose it.
func newer() state.Command {
	return state.Command{At: time.Now(), Body: state.RemoveToken{ID: "nobody's"}, Version: state.Version}
}

func TestWhatAVoterDoesNotKnowIsNotProposed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		leader := r.start("A")
		r.must(leader, state.UpdateNode{ID: "A", Commands: state.Version})
		r.must(leader, state.PutToken{Token: cluster.Token{ID: "t", SecretHash: "h", Uses: 1, Expires: time.Now().Add(time.Hour)}})
		r.must(leader, state.JoinNode{Token: "t", Node: cluster.Node{ID: "B", Name: "second", Version: "v0", Commands: state.Version - 1}})
		r.must(leader, state.SetVoter{Node: "B", Voter: true})

		before := leader.View().Hash()
		var outdated *OutdatedError
		if _, err := leader.Propose(t.Context(), newer()); !errors.As(err, &outdated) || outdated.Node != "second" || !strings.Contains(err.Error(), "muster v0") {
			t.Errorf("proposed beside an older voter: %v", err)
		}
		if v := leader.View(); v.Hash() != before || v.Level() != 1 {
			t.Errorf("level %d after a command that was held back", v.Level())
		}
		r.must(leader, token(1)) // what everybody knows goes on

		r.must(leader, state.UpdateNode{ID: "B", Version: "v1", Commands: state.Version})
		if _, err := leader.Propose(t.Context(), newer()); err != nil {
			t.Errorf("all voters know it now: %v", err)
		}
		if got := leader.View().Level(); got != state.Version {
			t.Errorf("level %d", got)
		}
	})
}

// A voter that is older than it said stops at the first command that it does not
// know, changes nothing by it, and says what to do.
func TestOlderVoterStopsAtANewerCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		leader := r.start("A")
		r.must(leader, state.UpdateNode{ID: "A", Commands: state.Version})
		r.must(leader, token(1))
		r.memory["B"] = NewMemory()
		cfg := r.config("B")
		cfg.Commands = state.Version - 1
		old, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r.stores["B"] = old
		r.join(leader, "B")
		r.until("the older voter has the state", func() bool { return old.View().Hash() == leader.View().Hash() })
		before := old.View()

		if _, err := leader.Propose(t.Context(), newer()); err != nil && !errors.Is(err, ErrUnknown) {
			t.Fatal(err)
		}
		<-old.Failed()
		if err := old.Err(); !errors.Is(err, ErrUnappliable) || !strings.Contains(err.Error(), "upgrade this node") || !strings.Contains(err.Error(), "knows up to") {
			t.Errorf("it says %v", err)
		}
		if old.View().Hash() != before.Hash() || old.View().Index() != before.Index() {
			t.Error("it changed its state")
		}
	})
}

// What the log is about to hold is said before it holds it.
func TestVersionOfTheLogIsSaidFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		r.memory["A"] = NewMemory()
		var said []int
		refuse := errors.New("not now")
		cfg := r.config("A")
		cfg.Raised = func(version int) error {
			if version > 1 && len(said) == 1 {
				said = append(said, 0)
				return refuse
			}
			said = append(said, version)
			return nil
		}
		s, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r.stores["A"] = s
		if err := s.Bootstrap(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.leader()
		r.must(s, state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1, CA: []byte("ca")}, Node: cluster.Node{ID: "A", Name: "a", Commands: state.Version}})
		if _, err := s.Propose(t.Context(), newer()); !errors.Is(err, refuse) && !errors.Is(err, ErrUnknown) {
			t.Errorf("without consent: %v", err)
		}
		if s.View().Level() != 1 {
			t.Error("the log holds it without consent")
		}
		r.leader()
		if _, err := s.Propose(t.Context(), newer()); err != nil {
			t.Errorf("with consent: %v", err)
		}
		if len(said) != 3 || said[0] != 1 || said[2] != state.Version {
			t.Errorf("said %v", said)
		}
	})
}

// A command that waits for a change of the voters does so until its context
// ends, and nobody is stopped meanwhile who could make that change end.
func TestWaitingForTheVotersEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		leader := r.start("A")
		defer r.closeAll()
		r.must(leader, state.UpdateNode{ID: "A", Commands: state.Version})
		release, err := leader.gate.hold(t.Context(), allVoters)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		begun := time.Now()
		if _, err := leader.Propose(ctx, newer()); !errors.Is(err, ErrUnknown) || time.Since(begun) != 2*time.Second {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		r.must(leader, token(1)) // what everybody knows goes on
		time.AfterFunc(3*time.Second, release)
		if _, err := leader.Propose(t.Context(), newer()); err != nil || time.Since(begun) != 5*time.Second {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
	})
}
