package health

import (
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
)

// A new leader takes over two seconds after the old one's host died.
func newTerm(t *testing.T, nodes int, known func(w *world) Evidence) (w *world, elected time.Time) {
	w = newWorld(t, nodes)
	w.run(10 * time.Second)
	w.kill("n1")
	w.now = w.now.Add(2 * time.Second)
	w.elect("n2", known(w))
	return w, w.now
}

func TestNewLeaderDialsAtOnce(t *testing.T) {
	w, elected := newTerm(t, 3, func(*world) Evidence { return Evidence{} })
	w.run(5 * time.Second)
	w.within(elected, 1200*time.Millisecond, "n1 down")
}

func TestNewLeaderUsesWhatItKnows(t *testing.T) {
	w, elected := newTerm(t, 3, func(w *world) Evidence {
		return Evidence{
			Contacts: []Contact{{"n1", w.now.Add(-2 * time.Second)}, {"n3", w.now.Add(-50 * time.Millisecond)}},
			Probes:   []ProbeResult{{Node: "n1", By: "n2", Outcome: Silent, At: w.now.Add(-time.Second)}},
		}
	})
	w.run(5 * time.Second)
	// One try of n3 is enough: the leader has dialled already.
	w.within(elected, 600*time.Millisecond, "n1 down")
}

func TestStaleDialIsNoEvidence(t *testing.T) {
	w, elected := newTerm(t, 3, func(w *world) Evidence {
		return Evidence{Probes: []ProbeResult{{Node: "n3", By: "n2", Outcome: Silent, At: w.now.Add(-time.Minute)}}}
	})
	w.run(5 * time.Second)
	w.within(elected, 1200*time.Millisecond, "n1 down")
}

func TestAgentsMayTakeTimeToFindTheNewLeader(t *testing.T) {
	w, elected := newTerm(t, 5, func(*world) Evidence { return Evidence{} })
	for _, id := range []cluster.NodeID{"n3", "n4", "n5"} {
		w.host(id).agent = false
	}
	w.run(2500 * time.Millisecond)
	w.revive("n3", "n4")
	w.run(10 * time.Second)
	// n5's agent never came: its living host is away after the grace.
	w.within(elected, 3100*time.Millisecond, "n1 down", "n5 away")
}

func TestNewLeaderTakesADownNodeBackOnItsHeartbeat(t *testing.T) {
	w := newWorld(t, 3)
	w.host("n3").node = &cluster.Node{ID: "n3", Condition: cluster.Down}
	w.elect("n2", Evidence{})
	w.run(time.Second)
	w.within(t0, 600*time.Millisecond, "n3 ready")
}

func TestLeaderThatWasDownIsReady(t *testing.T) {
	w := newWorld(t, 3)
	w.host("n2").node = &cluster.Node{ID: "n2", Condition: cluster.Down}
	w.elect("n2", Evidence{})
	w.run(100 * time.Millisecond)
	w.within(t0, 100*time.Millisecond, "n2 ready")
}

func TestAwayTimeRunsOnUnderANewLeader(t *testing.T) {
	w := newWorld(t, 3)
	w.run(10 * time.Second)
	w.host("n3").agent = false
	w.run(50 * time.Second)
	w.within(w.now, 0, "n3 away")
	w.elect("n2", Evidence{})
	began := w.now
	w.run(time.Minute)
	w.within(began, 13*time.Second, "n3 down")
}

func TestStalledLeaderBlamesItself(t *testing.T) {
	w := newWorld(t, 5)
	w.run(10 * time.Second)
	w.now = w.now.Add(20 * time.Second) // stopped, and nobody could reach it
	w.kill("n5")
	for _, h := range w.hosts[1:] {
		h.agent = false
	}
	w.run(2 * time.Second) // the agents come back a little later
	for _, h := range w.hosts[1:4] {
		h.agent = true
	}
	w.run(5 * time.Second)
	if got := slices.IndexFunc(w.changes, func(c change) bool { return c.To == cluster.Away }); got >= 0 {
		t.Errorf("changes %v: a living host is away because the leader slept", w.changes)
	}
	w.within(w.now, 0, "n5 down")
}
