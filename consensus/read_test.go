package consensus

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/cluster"
)

func TestConfirmedViewHoldsWhatWasAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		first := r.start("A", "B", "C")
		defer r.closeAll()
		r.must(first, token(1))
		if err := first.Confirm(t.Context()); err != nil {
			t.Fatalf("confirm on the leader: %v", err)
		}
		if err := r.stores["B"].Confirm(t.Context()); !errors.As(err, new(*NotLeaderError)) {
			t.Errorf("confirm on a follower: %v", err)
		}
		r.close("A")
		// The next leader may lead before it has applied what is committed.
		var next *Store
		r.until("a new leader", func() bool {
			for _, s := range r.stores {
				if _, me := s.Leader(); me {
					next = s
				}
			}
			return next != nil
		})
		if err := next.Confirm(t.Context()); err != nil {
			t.Fatalf("confirm on the next leader: %v", err)
		}
		if _, ok := next.View().Token("t0001"); !ok {
			t.Error("the confirmed view lacks what was acknowledged")
		}
	})
}

func TestIsolatedLeaderConfirmsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		old := r.start("A", "B", "C")
		defer r.closeAll()
		r.net.isolate("A", true)
		begun := time.Now()
		if err := old.Confirm(t.Context()); err == nil {
			t.Error("an isolated leader confirmed its leadership")
		}
		if took := time.Since(begun); took > 2*r.tuning.Lease {
			t.Errorf("it took %v to say so", took)
		}
	})
}

// An answer counts when its request went out after the call, however late it
// comes: a leader that was stopped finds old answers when it goes on.
func TestAnswersFromBeforeTheCallDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		s := r.start("A", "B", "C")
		defer r.closeAll()
		if err := s.Confirm(t.Context()); err != nil {
			t.Fatal(err)
		}
		sent, term := s.trans.progress.tick(), s.Term()
		r.net.isolate("A", true)
		begun := s.trans.progress.tick()
		for _, id := range []cluster.NodeID{"B", "C"} {
			s.trans.progress.heard(raft.ServerID(id), term, 0)
			s.trans.progress.answered(raft.ServerID(id), term, sent)
			if s.answeredSince(begun, term) {
				t.Errorf("an answer of %s to a request from before the call counts", id)
			}
		}
		s.trans.progress.answered("B", term-1, begun+1)
		if s.answeredSince(begun, term) {
			t.Error("an answer of an earlier term counts")
		}
		s.trans.progress.answered("B", term, begun+1)
		if !s.answeredSince(begun, term) {
			t.Error("one of two followers has answered, and it does not count")
		}
	})
}

func TestConfirmationsShareRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		s := r.start("A", "B", "C")
		defer r.closeAll()
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if err := s.Confirm(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if s.rounds.running || s.rounds.next != nil {
			t.Error("a round is left behind")
		}
	})
}
