package voters

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
)

// world is a cluster whose raft carries out what Plan says, as raft would: only
// with a quorum, and led by a voter that answers.
type world struct{ Input }

func (w *world) answers(m Member) bool { return (&seats{in: w.Input}).answers(m) }

func (w *world) find(id cluster.NodeID) *Member {
	i := slices.IndexFunc(w.Members, func(m Member) bool { return m.ID == id })
	return &w.Members[i]
}

func (w *world) voters() (all, alive int) {
	for _, m := range w.Members {
		if m.Role == Voter {
			all++
			if w.answers(m) {
				alive++
			}
		}
	}
	return all, alive
}

func (w *world) quorum() bool {
	all, alive := w.voters()
	return 2*alive > all
}

// elect makes sure that a voter that answers leads.
func (w *world) elect() {
	for _, m := range w.Members {
		if m.Role == Voter && w.answers(m) {
			if l := w.find(w.Leader); !w.answers(*l) || l.Role != Voter {
				w.lead(m.ID)
			}
			return
		}
	}
}

func (w *world) lead(id cluster.NodeID) {
	w.Leader, w.LedSince = id, w.Now
	w.find(id).BehindSince = time.Time{}
}

func (w *world) carryOut(c Change) error {
	m := w.find(c.Node)
	switch {
	case c.Op == AddNonvoter && m.Role == Outside && !m.Gone:
		m.Role, m.RoleSince, m.Lost = Nonvoter, w.Now, false // with a log of its own
	case c.Op == Promote && m.Role == Nonvoter && m.CaughtUp && w.answers(*m):
		m.Role = Voter
	case c.Op == Demote && m.Role == Voter && c.Node != w.Leader:
		m.Role, m.RoleSince, m.CaughtUp, m.BehindSince = Nonvoter, w.Now, true, time.Time{}
	case c.Op == Remove && m.Role != Outside && c.Node != w.Leader:
		m.Role, m.CaughtUp, m.BehindSince = Outside, false, time.Time{}
		w.Members = slices.DeleteFunc(w.Members, func(m Member) bool { return m.Gone && m.Role == Outside })
	case c.Op == TransferLeadership && m.Role == Voter && w.answers(*m) && c.Node != w.Leader:
		w.lead(c.Node)
	case c.Op == Restart && m.Role == Voter && m.Condition == cluster.Ready && c.Node != w.Leader:
		m.Restarted, m.BehindSince = w.Now, time.Time{}
	default:
		return fmt.Errorf("%v is not possible for %+v", c, *m)
	}
	return nil
}

func (w *world) catchUp() {
	for i := range w.Members {
		m := &w.Members[i]
		m.CaughtUp = m.Role == Nonvoter && w.answers(*m)
	}
}

func drawWorld(t *rapid.T) *world {
	w := &world{Input{Now: now, Leader: "n00"}}
	for i := range rapid.IntRange(1, 10).Draw(t, "nodes") {
		w.Members = append(w.Members, Member{
			ID: cluster.NodeID(fmt.Sprintf("n%02d", i)), Zone: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "zone"),
			Condition: cluster.Ready, Since: now.Add(-time.Hour), Availability: cluster.Active,
			Joined: now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "joined")) * time.Minute),
		})
	}
	w.Members[0].Role = Voter
	return w
}

// disturb changes one thing about one node; it keeps a majority of the voters.
func (w *world) disturb(t *rapid.T) {
	m := w.find(w.Members[rapid.IntRange(0, len(w.Members)-1).Draw(t, "node")].ID)
	before := *m
	switch rapid.SampledFrom([]string{"down", "away", "back", "drain", "cordon", "activate", "leave", "lose", "stall", "follow", "slow", "fast"}).Draw(t, "what") {
	case "down":
		m.Condition, m.Since = cluster.Down, w.Now
	case "away":
		m.Condition, m.Since = cluster.Away, w.Now
	case "back":
		m.Condition, m.Since = cluster.Ready, w.Now
	case "drain":
		m.Availability = cluster.Drained
	case "cordon":
		m.Availability = cluster.Cordoned
	case "activate":
		m.Availability = cluster.Active
	case "leave":
		m.Gone = m.Role != Outside
	case "lose":
		m.Lost, m.CaughtUp = m.Role != Outside && m.ID != w.Leader, false
	case "stall":
		if m.Role == Voter && m.ID != w.Leader {
			m.BehindSince = w.Now
		}
	case "follow":
		m.BehindSince = time.Time{}
	case "slow":
		m.Write = time.Duration(rapid.IntRange(100, 2000).Draw(t, "ms")) * time.Millisecond
	case "fast":
		m.Write = time.Duration(rapid.IntRange(1, 99).Draw(t, "ms")) * time.Millisecond
	}
	if !w.quorum() {
		*m = before
	}
	if all, _ := w.voters(); all == 0 {
		*m = before
	}
}

func TestEveryStepIsSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			w.Now = w.Now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second)
			if rapid.Bool().Draw(t, "disturb") {
				w.disturb(t)
			}
			if rapid.Bool().Draw(t, "replicate") {
				w.catchUp()
			}
			w.elect()
			c, why := Plan(w.Input)
			if why == "" {
				t.Fatalf("%v has no reason", c)
			}
			shuffled := w.Input
			shuffled.Members = rapid.Permutation(w.Members).Draw(t, "order")
			if again, _ := Plan(shuffled); again != c {
				t.Fatalf("another order of members gives %v, not %v", again, c)
			}
			if c.Op == None {
				continue
			}
			if err := w.carryOut(c); err != nil {
				t.Fatal(err)
			}
			if !w.quorum() {
				t.Fatalf("%v leaves voters without a majority: %+v", c, w.Members)
			}
			if all, _ := w.voters(); c.Op == Promote && all > w.target()+1 {
				t.Fatalf("%v makes %d voters of %d wanted", c, all, w.target())
			}
		}
	})
}

func (w *world) target() int {
	n := 0
	for _, m := range w.Members {
		if !m.Gone {
			n++
		}
	}
	return Target(n)
}

// usable is how many nodes could vote.
func (w *world) usable() int {
	n := 0
	for _, m := range w.Members {
		if w.answers(m) && m.Availability != cluster.Drained {
			n++
		}
	}
	return n
}

func TestItSettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		for range rapid.IntRange(0, 20).Draw(t, "history") {
			w.disturb(t)
			w.catchUp()
			w.elect()
			if c, _ := Plan(w.Input); c.Op != None {
				if err := w.carryOut(c); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.Now = w.Now.Add(time.Hour) // the faults stop
		const enough = 60
		for range enough {
			w.catchUp()
			w.elect()
			c, _ := Plan(w.Input)
			if c.Op == None {
				w.checkSettled(t)
				return
			}
			if err := w.carryOut(c); err != nil {
				t.Fatal(err)
			}
		}
		t.Fatalf("still changing after %d steps: %+v", enough, w.Members)
	})
}

func (w *world) checkSettled(t *rapid.T) {
	all, alive := w.voters()
	zones := map[string]int{}
	for _, m := range w.Members {
		if m.Gone && m.Role != Outside {
			t.Errorf("%s is gone and still in the configuration", m.ID)
		}
		if m.Role == Voter {
			zones[m.Zone]++
		}
	}
	if all > w.target() {
		t.Errorf("%d voters, %d wanted: %+v", all, w.target(), w.Members)
	}
	if w.usable() < w.target() {
		return
	}
	if all != w.target() || alive != all {
		t.Errorf("%d voters of which %d answer, though %d nodes could vote and %d should: %+v", all, alive, w.usable(), w.target(), w.Members)
	}
	for _, m := range w.Members {
		if m.Role == Outside && w.answers(m) && m.Availability == cluster.Active {
			for zone, n := range zones {
				if n >= zones[m.Zone]+2 {
					t.Errorf("zone %q has %d voters, %q only %d: %+v", zone, n, m.Zone, zones[m.Zone], w.Members)
				}
			}
		}
	}
}

// A voter that lost its log votes again only after it was out of the
// configuration, and got a log as a non-voter.
func TestLostLogComesBackThroughTheDoor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		lost := map[cluster.NodeID]bool{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			w.Now = w.Now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second)
			w.disturb(t)
			w.catchUp()
			w.elect()
			for _, m := range w.Members {
				lost[m.ID] = lost[m.ID] || m.Lost
			}
			c, _ := Plan(w.Input)
			if c.Op == Promote && lost[c.Node] {
				t.Fatalf("%v, though its log is lost: %+v", c, *w.find(c.Node))
			}
			if c.Op == None {
				continue
			}
			if err := w.carryOut(c); err != nil {
				t.Fatal(err)
			}
			if c.Op == AddNonvoter {
				delete(lost, c.Node)
			}
		}
	})
}

// However fast the disks are, leadership goes to a faster one only, never back,
// and rests between two moves.
func TestLeadershipDoesNotGoBackAndForth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		for i := range w.Members {
			w.Members[i].Role = Voter
			w.Members[i].Write = time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * time.Millisecond
		}
		led, moved := map[cluster.NodeID]bool{w.Leader: true}, time.Time{}
		for range 100 {
			w.Now = w.Now.Add(10 * time.Second)
			c, why := Plan(w.Input)
			if c.Op != TransferLeadership {
				continue
			}
			if led[c.Node] || w.Now.Sub(moved) < LedFor {
				t.Fatalf("%v (%s) %s after the last move, led before: %v", c, why, w.Now.Sub(moved), led)
			}
			led[c.Node], moved = true, w.Now
			w.lead(c.Node)
		}
	})
}
