package consensus

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func TestProposeReachesEveryVoter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		leader := r.start("A", "B", "C")
		defer r.closeAll()
		res := r.must(leader, token(1))
		if v := leader.View(); v.Index() != res.Index {
			t.Errorf("the leader's view is at %d, the result at %d", v.Index(), res.Index)
		}
		r.agree()
		for id, s := range r.stores {
			if _, ok := s.View().Token("t0001"); !ok {
				t.Errorf("%s has no token", id)
			}
		}
		if _, err := leader.Propose(t.Context(), state.Command{At: time.Now(), Body: state.PutSealed{Name: "big", Sealed: &cluster.Sealed{Ciphertext: make([]byte, MaxCommand)}}}); !errors.As(err, new(*TooLargeError)) {
			t.Errorf("a command above the limit: %v", err)
		}
	})
}

func TestFollowerNamesTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		r.start("A", "B")
		defer r.closeAll()
		r.until("B knows its leader", func() bool { id, _ := r.stores["B"].Leader(); return id == "A" })
		_, err := r.stores["B"].Propose(t.Context(), state.Command{At: time.Now(), Body: token(1)})
		var not *NotLeaderError
		if !errors.As(err, &not) || not.LeaderID != "A" {
			t.Errorf("propose on a follower: %v", err)
		}
		if err := r.stores["B"].Bootstrap(t.Context()); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("bootstrap of a member: %v", err)
		}
	})
}

func TestAnotherLeaderWhenOneCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		first := r.start("A", "B", "C")
		defer r.closeAll()
		r.must(first, token(1))
		term := first.Term()
		wake, stop := r.stores["B"].LeadershipChanges()
		defer stop()
		<-wake // the first comes at once
		r.close("A")
		<-wake
		second := r.leader()
		if second.Term() <= term {
			t.Errorf("term %d after %d", second.Term(), term)
		}
		if err := second.Barrier(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.must(second, token(2))
		r.open("A") // a restart: what it held is still there
		r.agree()
	})
}

func TestTransferLeadership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		first := r.start("A", "B", "C")
		defer r.closeAll()
		if err := first.TransferLeadership(t.Context(), "C"); err != nil {
			t.Fatal(err)
		}
		r.until("C leads", func() bool { _, me := r.stores["C"].Leader(); return me })
		if err := r.stores["C"].Demote(t.Context(), "A"); err != nil {
			t.Fatal(err)
		}
		if err := r.stores["C"].Remove(t.Context(), "A"); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range r.stores["C"].Servers() {
			names = append(names, string(m.ID)+"@"+m.Addr)
		}
		if got := strings.Join(names, " "); got != "B@mem://B C@mem://C" {
			t.Errorf("servers: %s", got)
		}
	})
}

func TestIsolatedLeaderDoesNotKnowTheOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		old := r.start("A", "B", "C")
		defer r.closeAll()
		cmd := state.Command{Request: newRequest(), At: time.Now(), Body: token(7)}
		r.net.isolate("A", true)
		if _, err := old.Propose(soon(t, 20*time.Second), cmd); !errors.Is(err, ErrUnknown) {
			t.Fatalf("propose without a quorum: %v", err)
		}
		if err := old.VerifyLeader(t.Context()); err == nil {
			t.Error("an isolated leader verified its leadership")
		}
		delete(r.stores, "A")
		next := r.leader()
		first, err := next.Propose(t.Context(), cmd)
		if err != nil || first.Err != nil {
			t.Fatal(err, first.Err)
		}
		again, err := next.Propose(t.Context(), cmd)
		if err != nil || again.Index != first.Index {
			t.Errorf("a repeated request answered with index %d and %v, want %d: applied once", again.Index, err, first.Index)
		}
		r.stores["A"] = old
		r.net.isolate("A", false)
		r.agree()
	})
}

func TestCloseAnswersWithoutAQuorum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		leader := r.start("A", "B", "C")
		r.close("B")
		r.close("C")
		answers := make(chan error)
		go func() {
			_, err := leader.Propose(soon(t, time.Minute), state.Command{At: time.Now(), Body: token(1)})
			answers <- err
		}()
		synctest.Wait()
		r.close("A")
		if err := <-answers; !errors.Is(err, ErrUnknown) {
			t.Errorf("an unfinished proposal at Close: %v", err)
		}
		if _, err := leader.Propose(t.Context(), state.Command{At: time.Now(), Body: token(1)}); !errors.Is(err, ErrClosed) {
			t.Errorf("propose after Close: %v", err)
		}
	})
}

func TestLaggingFollowerGetsASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		r.tuning.SnapshotThreshold, r.tuning.TrailingLogs, r.tuning.SnapshotInterval = 50, 10, time.Second
		leader := r.start("A", "B", "C")
		defer r.closeAll()
		r.close("C")
		for i := range 200 {
			r.must(leader, token(i))
		}
		r.until("the log is cut", func() bool {
			first, err := leader.entries.FirstIndex()
			return err == nil && first > 100
		})
		c := r.open("C")
		w := c.Watch()
		defer w.Close()
		<-w.C()
		w.Take()
		<-w.C()
		if d := w.Take(); !d.All {
			t.Errorf("a restored snapshot marked %v", d)
		}
		r.agree()
		r.close("C")
		r.open("C") // from its own snapshot
		r.agree()
	})
}

func TestNonvoterDoesNotVote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		leader := r.start("A")
		defer r.closeAll()
		b := r.open("B")
		if leader.CaughtUp("B") || !b.Empty() {
			t.Error("B is a member before it was added")
		}
		if err := leader.AddNonvoter(t.Context(), "B"); err != nil {
			t.Fatal(err)
		}
		r.until("B is caught up", func() bool { return leader.CaughtUp("B") })
		r.close("B")
		r.must(leader, token(1)) // A alone is the quorum
		r.until("B is known to be behind", func() bool { return !leader.CaughtUp("B") })
		b = r.open("B")
		r.until("B is caught up again", func() bool { return leader.CaughtUp("B") })
		if st := leader.Stats(); !st.Voter || len(st.Peers) != 1 || st.Peers[0].Match == 0 {
			t.Errorf("leader's stats: %+v", st)
		}
		if err := leader.AddVoter(t.Context(), "B"); err != nil {
			t.Fatal(err)
		}
		r.until("B sees its own vote", func() bool { return b.Stats().Voter })
	})
}

// A dies when only C knows that C votes: B must vote for C nevertheless.
func TestElectionAcrossAConfigurationThatLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		leader := r.start("A", "B")
		defer r.closeAll()
		r.open("C")
		if err := leader.AddNonvoter(t.Context(), "C"); err != nil {
			t.Fatal(err)
		}
		r.until("C is caught up", func() bool { return leader.CaughtUp("C") })
		r.agree()
		r.net.isolate("B", true)
		if err := leader.AddVoter(t.Context(), "C"); err != nil { // committed by A and C
			t.Fatal(err)
		}
		r.close("A")
		r.net.isolate("B", false)
		if id, _ := r.leader().Leader(); id != "C" {
			t.Errorf("%s leads without C's vote", id)
		}
	})
}

// Whoever leads sends fewer heartbeats; who waits for them waits no longer.
func TestALeadersHeartbeatsAreRarer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		leader := r.start("A", "B", "C")
		paces := func() map[cluster.NodeID]time.Duration {
			out := map[cluster.NodeID]time.Duration{}
			for id, s := range r.stores {
				out[id] = s.raft.ReloadableConfig().HeartbeatTimeout
			}
			return out
		}
		waits, leads := r.tuning.Heartbeat, r.tuning.Pace
		r.until("all have the log", func() bool { return leader.CaughtUp("B") && leader.CaughtUp("C") })
		if diff := cmp.Diff(map[cluster.NodeID]time.Duration{"A": leads, "B": waits, "C": waits}, paces()); diff != "" {
			t.Errorf("A leads (-want +got):\n%s", diff)
		}
		if err := leader.TransferLeadership(t.Context(), "B"); err != nil {
			t.Fatal(err)
		}
		r.agree()
		if diff := cmp.Diff(map[cluster.NodeID]time.Duration{"A": waits, "B": leads, "C": waits}, paces()); diff != "" {
			t.Errorf("B leads (-want +got):\n%s", diff)
		}
		r.closeAll()
	})
}
