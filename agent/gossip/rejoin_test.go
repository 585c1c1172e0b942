package gossip

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var t0 = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func peersNamed(ids ...string) (out []Peer) {
	for _, id := range ids {
		out = append(out, Peer{ID: id, Addr: "10.0.0.1:" + id})
	}
	return out
}

func aliveNamed(ids ...string) (out []Member) {
	for _, id := range ids {
		out = append(out, Member{ID: id, Alive: true})
	}
	return out
}

func idsOf(peers []Peer) (out []string) {
	for _, p := range peers {
		out = append(out, p.ID)
	}
	return out
}

func TestNextRejoinPicksTheMissing(t *testing.T) {
	dead := Member{ID: "c"}
	for name, tc := range map[string]struct {
		known   []Peer
		members []Member
		want    []string
	}{
		"nobody known":         {nil, aliveNamed("a"), nil},
		"all alive":            {peersNamed("a", "b"), aliveNamed("a", "b"), nil},
		"one never heard of":   {peersNamed("a", "b"), aliveNamed("a"), []string{"b"}},
		"one dead":             {peersNamed("a", "c"), append(aliveNamed("a"), dead), []string{"c"}},
		"named twice":          {peersNamed("b", "b"), nil, []string{"b"}},
		"without an address":   {[]Peer{{ID: "b"}}, nil, nil},
		"without a name":       {[]Peer{{Addr: "10.0.0.1:1"}}, nil, nil},
		"unknown member alive": {peersNamed("a"), aliveNamed("a", "x"), nil},
	} {
		plan := NextRejoin(tc.known, tc.members, t0, newRejoinState("a"))
		if got := idsOf(plan.Dial); !cmp.Equal(got, tc.want) {
			t.Errorf("%s: dials %v, want %v", name, got, tc.want)
		}
		if quiet := len(tc.want) == 0; plan.Wake.IsZero() != quiet {
			t.Errorf("%s: wakes at %v", name, plan.Wake)
		}
	}
}

func TestNextRejoinBacksOff(t *testing.T) {
	state, now := newRejoinState("a"), t0
	var waits []time.Duration
	for range 7 {
		plan := NextRejoin(peersNamed("b"), nil, now, state)
		if len(plan.Dial) != 1 {
			t.Fatalf("at its own wake-up %v it dials %v", now.Sub(t0), plan.Dial)
		}
		// An early wake-up, by an event, dials nobody and moves nothing.
		early := NextRejoin(peersNamed("b"), nil, plan.Wake.Add(-time.Millisecond), plan.State)
		if len(early.Dial) != 0 || !early.Wake.Equal(plan.Wake) {
			t.Fatalf("woken early: dials %v, wakes at %v, not %v", early.Dial, early.Wake, plan.Wake)
		}
		waits = append(waits, plan.Wake.Sub(now)/time.Second)
		state, now = plan.State, plan.Wake
	}
	if want := []time.Duration{1, 2, 4, 8, 15, 15, 15}; !cmp.Equal(waits, want) {
		t.Errorf("waits %v seconds, want %v", waits, want)
	}
	back := NextRejoin(peersNamed("b"), aliveNamed("b"), now, state)
	lost := NextRejoin(peersNamed("b"), nil, now.Add(time.Minute), back.State)
	if len(lost.Dial) != 1 || lost.Wake.Sub(now.Add(time.Minute)) != rejoinMin {
		t.Errorf("lost again: dials %v, waits %v", lost.Dial, lost.Wake.Sub(now.Add(time.Minute)))
	}
}

// A peer that was given up for long is tried again a second after the cluster
// found it up, once, and not at all if gossip brought it by then.
func TestNextRejoinHeedsTheClustersWord(t *testing.T) {
	state, now := newRejoinState("a"), t0
	for range 6 {
		plan := NextRejoin(peersNamed("b"), nil, now, state)
		state, now = plan.State, plan.Wake
	}
	plan := NextRejoin(peersNamed("b"), nil, now, state) // the next try is 15 s away
	up := peersNamed("b")
	up[0].Up = true
	now = now.Add(2 * time.Second)

	found := NextRejoin(up, nil, now, plan.State)
	if len(found.Dial) != 0 || found.Wake.Sub(now) != rejoinMin {
		t.Fatalf("found up: dials %v, wakes after %v", found.Dial, found.Wake.Sub(now))
	}
	tried := NextRejoin(up, nil, found.Wake, found.State)
	if len(tried.Dial) != 1 || tried.Wake.Sub(found.Wake) != rejoinMin {
		t.Errorf("a second later: dials %v, wakes after %v", tried.Dial, tried.Wake.Sub(found.Wake))
	}
	if heard := NextRejoin(up, aliveNamed("b"), found.Wake, found.State); len(heard.Dial) != 0 || !heard.Wake.IsZero() {
		t.Errorf("heard of by then: dials %v, wakes at %v", heard.Dial, heard.Wake)
	}
}

func TestNextRejoinSpreadsOverPeers(t *testing.T) {
	var known []Peer
	for i := range 30 {
		known = append(known, Peer{ID: fmt.Sprint("p", i), Addr: "10.0.0.1:1"})
	}
	first := map[string]bool{}
	for i := range 20 {
		plan := NextRejoin(known, nil, t0, newRejoinState(nodeID(i)))
		first[plan.Dial[0].ID] = true
	}
	if len(first) < 5 {
		t.Errorf("20 nodes begin with only %d of 30 peers", len(first))
	}
	seen, state, now := map[string]bool{}, newRejoinState("a"), t0
	for len(seen) < len(known) && now.Before(t0.Add(time.Minute)) {
		plan := NextRejoin(known, nil, now, state)
		for _, p := range plan.Dial {
			seen[p.ID] = true
		}
		state, now = plan.State, plan.Wake
	}
	if len(seen) != len(known) {
		t.Errorf("after a minute %d of %d peers were tried", len(seen), len(known))
	}
}

// Whatever dies and comes back: rounds are bounded and apart, only missing
// peers are dialled, a missing one gets its turn, and the same input gives
// the same plan.
func TestNextRejoinProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		known := peersNamed("b", "c", "d", "e", "f", "g", "h")
		state, now := newRejoinState("a"), t0
		var lastRound time.Time
		for range 40 {
			up := map[string]bool{}
			var members []Member
			for _, p := range known {
				if rapid.Bool().Draw(t, "up") {
					up[p.ID] = true
					members = append(members, Member{ID: p.ID, Alive: true})
				}
			}
			plan := NextRejoin(known, members, now, state)
			if again := NextRejoin(known, members, now, state); !cmp.Equal(plan.Dial, again.Dial) || !plan.Wake.Equal(again.Wake) {
				t.Fatal("two answers to the same question")
			}
			if len(plan.Dial) > rejoinBatch {
				t.Fatalf("dials %d at once", len(plan.Dial))
			}
			if len(plan.Dial) > 0 {
				if now.Sub(lastRound) < rejoinMin {
					t.Fatalf("rounds only %v apart", now.Sub(lastRound))
				}
				lastRound = now
			}
			for _, p := range plan.Dial {
				if up[p.ID] {
					t.Fatalf("dials %s, which is alive", p.ID)
				}
			}
			if plan.Wake.IsZero() != (len(up) == len(known)) {
				t.Fatalf("%d of %d up, wakes at %v", len(up), len(known), plan.Wake)
			}
			if !plan.Wake.IsZero() && (!plan.Wake.After(now) || plan.Wake.After(now.Add(rejoinMax))) {
				t.Fatalf("wakes in %v", plan.Wake.Sub(now))
			}
			state = plan.State
			now = now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "ms")) * time.Millisecond)
		}
	})
}
