package consensus

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/cluster"
)

// Followers apply what is committed long before an idle leader tells them again,
// the one whose acknowledgement commits it as well: nothing else that happens
// then makes the leader look.
func TestFollowersLearnOfACommitAtOnce(t *testing.T) {
	const commits = 500 // so that some acknowledgement is seen before it counts
	for _, voters := range [][]cluster.NodeID{{"A", "B"}, {"A", "B", "C"}} {
		t.Run(fmt.Sprint(len(voters)), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRing(t)
				leader := r.start(voters...)
				followers := voters[1:]
				for _, id := range followers {
					r.until(string(id)+" has the log", func() bool { return leader.CaughtUp(id) })
				}
				for n := range commits {
					res := r.must(leader, token(n))
					synctest.Wait() // no time passes
					for _, id := range followers {
						if got := r.stores[id].View().Index(); got < res.Index {
							t.Errorf("%s has applied up to %d when the leader has committed %d", id, got, res.Index)
						}
					}
				}
				r.closeAll()
			})
		})
	}
}

// A herald of an older term, or of what was not acknowledged, says nothing.
func TestHeraldSaysOnlyWhatIsKnown(t *testing.T) {
	var sent []raft.AppendEntriesRequest
	fail := false
	h := &herald{wake: make(chan struct{}, 1), peers: map[raft.ServerID]*audience{}}
	h.send = func(_ raft.ServerID, _ raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
		sent = append(sent, *args)
		resp.Success = true
		if fail {
			return errors.New("no connection")
		}
		return nil
	}
	append4 := func(term, prev, commit uint64, entries ...*raft.Log) *raft.AppendEntriesRequest {
		return &raft.AppendEntriesRequest{Term: term, PrevLogEntry: prev, PrevLogTerm: 1, LeaderCommitIndex: commit, Entries: entries}
	}
	expect := func(what string, committed, term uint64, want ...uint64) {
		t.Helper()
		sent = nil
		h.announce(committed, term)
		h.jobs.Wait()
		var got []uint64
		for _, a := range sent {
			if len(a.Entries) > 0 {
				t.Errorf("%s: entries were sent", what)
			}
			got = append(got, a.LeaderCommitIndex)
		}
		if len(got) != len(want) || len(got) == 1 && got[0] != want[0] {
			t.Errorf("%s: said %v is committed, want %v", what, got, want)
		}
	}

	h.acknowledged("B", "B", &raft.AppendEntriesRequest{Term: 2}) // a heartbeat
	expect("a heartbeat acknowledges nothing", 9, 2)
	h.acknowledged("B", "B", append4(2, 4, 4, &raft.Log{Index: 5, Term: 2}, &raft.Log{Index: 6, Term: 2}))
	expect("nothing new is committed", 4, 2)
	expect("another term", 6, 3)
	expect("no further than acknowledged", 9, 2, 6)
	if a := sent[0]; a.PrevLogEntry != 6 || a.PrevLogTerm != 2 || a.Term != 2 {
		t.Errorf("the append stands behind entry %d of term %d", a.PrevLogEntry, a.PrevLogTerm)
	}
	expect("once", 9, 2)

	h.acknowledged("B", "B", append4(1, 8, 4))
	expect("an acknowledgement of an older term", 9, 2)
	h.acknowledged("B", "B", append4(2, 7, 6))
	fail = true
	expect("the follower cannot be reached", 9, 2, 7)
	fail = false
	expect("it is left to raft then", 9, 2)
	h.acknowledged("B", "B", append4(2, 8, 6))
	expect("until raft has reached it", 9, 2, 8)
	h.acknowledged("B", "B", append4(3, 8, 8))
	expect("a new term begins with what raft said", 8, 3)
}
