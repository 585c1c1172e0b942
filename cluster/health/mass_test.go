package health

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
)

func TestMassLossWaitsForNodeTimeout(t *testing.T) {
	w := newWorld(t, 10)
	w.run(10 * time.Second)
	lost := []cluster.NodeID{"n5", "n6", "n7", "n8", "n9", "n10"}
	w.kill(lost...)
	died := w.now
	w.run(8 * time.Second)
	w.within(died, 0)
	for _, s := range w.last.Suspect {
		if !strings.Contains(s.Reason, "held, because more than half of the nodes are silent") {
			t.Errorf("%s: reason %q does not say that it is held", s.Node, s.Reason)
		}
	}
	w.run(5 * time.Second)
	for _, c := range w.changes {
		if c.To != cluster.Down || t0.Add(c.At).Sub(died) > 10*time.Second {
			t.Errorf("%s, want down within 10s of the loss", c)
		}
	}
	if len(w.changes) != len(lost) {
		t.Errorf("changes %v, want all %d down", w.changes, len(lost))
	}
}

func TestMassLossThatComesBackMovesNothing(t *testing.T) {
	w := newWorld(t, 10)
	w.run(10 * time.Second)
	lost := []cluster.NodeID{"n5", "n6", "n7", "n8", "n9", "n10"}
	w.kill(lost...)
	w.run(7 * time.Second)
	w.revive(lost...)
	w.run(10 * time.Second)
	w.within(t0, 0)
}

func TestMassLossInDribletsIsOneLoss(t *testing.T) {
	w := newWorld(t, 7)
	w.run(10 * time.Second)
	for _, id := range []cluster.NodeID{"n2", "n3", "n4", "n5", "n6"} {
		w.kill(id)
		w.run(600 * time.Millisecond)
	}
	died := w.now
	w.run(4 * time.Second)
	downs := 0
	for _, c := range w.changes {
		if c.To == cluster.Down {
			downs++
		}
	}
	if downs > 3 {
		t.Errorf("changes %v: more than half of 7 went down within %s of the last", w.changes, w.now.Sub(died))
	}
	w.run(10 * time.Second)
	if got := len(w.changes); got != 5 {
		t.Errorf("changes %v, want five downs in the end", w.changes)
	}
}

func TestHalfIsNotMass(t *testing.T) {
	for nodes, lost := range map[int][]cluster.NodeID{2: {"n2"}, 3: {"n3"}, 4: {"n3", "n4"}} {
		w := newWorld(t, nodes)
		w.run(10 * time.Second)
		w.kill(lost...)
		died := w.now
		w.run(5 * time.Second)
		var want []string
		for _, id := range lost {
			want = append(want, string(id)+" down")
		}
		w.within(died, 2100*time.Millisecond, want...)
	}
}

func TestMassAgentStopDoesNotHoldADeadHost(t *testing.T) {
	w := newWorld(t, 10)
	w.run(10 * time.Second)
	for _, h := range w.hosts[1:8] {
		h.agent, h.answers = false, Refused
	}
	w.kill("n10")
	died := w.now
	w.run(5 * time.Second)
	i := slices.IndexFunc(w.changes, func(c change) bool { return c.Node == "n10" })
	if i < 0 || t0.Add(w.changes[i].At).Sub(died) > 2100*time.Millisecond {
		t.Errorf("changes %v, want n10 down within 2.1s", w.changes)
	}
}

func TestFlappingNodeIsQuarantinedForLonger(t *testing.T) {
	w := newWorld(t, 4)
	w.run(time.Second)
	var got []time.Duration
	for range 6 {
		w.kill("n4")
		w.run(5 * time.Second)
		w.revive("n4")
		w.run(5 * time.Second)
		got = append(got, w.tracker.nodes["n4"].flaps.last)
	}
	want := []time.Duration{0, 0, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute}
	if !slices.Equal(got, want) {
		t.Errorf("quarantines %v, want %v", got, want)
	}
	until, ok := w.last.Quarantine["n4"]
	if !ok || len(w.last.Quarantine) != 1 {
		t.Fatalf("quarantine %v, want n4 alone", w.last.Quarantine)
	}
	w.run(until.Sub(w.now) + tick)
	if len(w.last.Quarantine) != 0 {
		t.Errorf("quarantine %v after its end, want none", w.last.Quarantine)
	}
	w.run(10 * time.Minute) // quiet: the next flaps start small again
	for range 3 {
		w.kill("n4")
		w.run(5 * time.Second)
		w.revive("n4")
		w.run(5 * time.Second)
	}
	if got := w.tracker.nodes["n4"].flaps.last; got != 30*time.Second {
		t.Errorf("quarantine after a quiet time %s, want 30s", got)
	}
}
