package controller

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/consensus/voters"
)

// threeVoters leads a, b and c, all of which vote, and perhaps d; those send
// heartbeats that are named.
func threeVoters(t *testing.T, beating ...string) (*leader, *fakeVoters) {
	nodes := []string{"a", "b", "c"}
	if slices.Contains(beating, "d") {
		nodes = append(nodes, "d")
	}
	l := newLeader(t, newWorld(t, time.Now(), nodes...))
	v := &fakeVoters{
		roles:   map[cluster.NodeID]voters.Role{"a": voters.Voter, "b": voters.Voter, "c": voters.Voter},
		stalled: map[cluster.NodeID]bool{}, match: map[cluster.NodeID]uint64{},
	}
	l.cfg.Voters = v
	for _, id := range beating {
		l.beat(cluster.NodeID(id), 500*time.Millisecond)
	}
	return l, v
}

func (v *fakeVoters) made() []voters.Change {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.changes)
}

// A node that says for a while that it lost its log is taken out, and in again.
func TestVoterThatLostItsLogIsSeatedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, v := threeVoters(t, "c")
		begun := time.Now()
		l.beatWith(500*time.Millisecond, func() api.Heartbeat {
			h := api.Heartbeat{Node: "b"}
			if len(v.made()) == 0 {
				h.Vote = &api.Vote{Lost: true}
			}
			return h
		})
		l.lead()
		pass(30 * time.Second)
		want := []voters.Change{{Op: voters.Remove, Node: "b"}, {Op: voters.AddNonvoter, Node: "b"}, {Op: voters.Promote, Node: "b"}}
		if got := v.made(); !slices.Equal(got, want) {
			t.Fatalf("changes %v", got)
		}
		if took := v.at[0].Sub(begun); took < lostAfter || took > lostAfter+2*time.Second {
			t.Errorf("it was taken out after %s", took)
		}
	})
}

func TestWordOfALostLogMustLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, v := threeVoters(t, "c")
		var n int
		l.beatWith(500*time.Millisecond, func() api.Heartbeat { // on for 2 s, off for 1 s
			n++
			return api.Heartbeat{Node: "b", Vote: &api.Vote{Lost: n%6 >= 2}}
		})
		l.lead()
		pass(time.Minute)
		if got := v.made(); len(got) > 0 {
			t.Errorf("changes %v", got)
		}
	})
}

// A voter that stays behind while its agent answers starts its raft again.
func TestVoterThatStaysBehindStartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, v := threeVoters(t, "b", "c")
		v.stalled["b"], v.cures = true, true
		begun := time.Now()
		l.lead()
		pass(time.Minute)
		if got := v.made(); !slices.Equal(got, []voters.Change{{Op: voters.Restart, Node: "b"}}) {
			t.Fatalf("changes %v", got)
		}
		if took := v.at[0].Sub(begun); took < voters.StallAfter || took > voters.StallAfter+2*time.Second {
			t.Errorf("it was told after %s", took)
		}
	})
}

// One that moves on, however slowly, is left alone.
func TestSlowVoterIsNotStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, v := threeVoters(t, "b", "c")
		v.stalled["b"] = true
		l.beatWith(5*time.Second, func() api.Heartbeat {
			v.mu.Lock()
			v.match["b"]++
			v.mu.Unlock()
			return api.Heartbeat{Node: "b"}
		})
		l.lead()
		pass(2 * time.Minute)
		if got := v.made(); len(got) > 0 {
			t.Errorf("changes %v", got)
		}
	})
}

// A restart that does not help is followed by a replacement.
func TestStalledVoterIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, v := threeVoters(t, "b", "c", "d")
		v.stalled["b"] = true
		l.lead()
		pass(voters.LostAfter + 15*time.Second)
		want := []voters.Change{
			{Op: voters.Restart, Node: "b"}, {Op: voters.AddNonvoter, Node: "d"}, {Op: voters.Promote, Node: "d"}, {Op: voters.Remove, Node: "b"},
		}
		if got := v.made(); !slices.Equal(got, want) {
			t.Errorf("changes %v", got)
		}
	})
}

// Leadership leaves a slow disk when the leader has led for a while, and when
// another's is known to be good.
func TestSlowDiskGivesLeadershipAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, v := threeVoters(t, "c")
		var known atomic.Bool
		write := func(id cluster.NodeID, took time.Duration) {
			l.beatWith(500*time.Millisecond, func() api.Heartbeat {
				h := api.Heartbeat{Node: id, Vote: &api.Vote{Write: took}}
				if id != "a" && !known.Load() {
					h.Vote.Write = 0
				}
				return h
			})
		}
		write("a", 400*time.Millisecond)
		write("b", 5*time.Millisecond)
		l.lead()
		pass(2 * voters.LedFor)
		if got := v.made(); len(got) > 0 {
			t.Fatalf("changes %v, though nothing is known of the others", got)
		}
		known.Store(true)
		pass(2 * time.Second)
		if got := v.made(); len(got) == 0 || got[0] != (voters.Change{Op: voters.TransferLeadership, Node: "b"}) {
			t.Errorf("changes %v", got)
		}
	})
}
