package health

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
)

func TestHealthyNodesAreLeftAlone(t *testing.T) {
	w := newWorld(t, 5)
	w.run(2 * time.Minute)
	w.within(t0, 0)
	if w.probes != 0 {
		t.Errorf("%d probes of healthy nodes, want none", w.probes)
	}
	if len(w.last.Suspect) != 0 || w.last.Wake.IsZero() {
		t.Errorf("last verdict %+v, want no suspect and a wake", w.last)
	}
}

func TestHostDies(t *testing.T) {
	for _, nodes := range []int{2, 3, 9} {
		w := newWorld(t, nodes)
		w.run(10 * time.Second)
		w.kill("n2")
		died := w.now
		w.run(5 * time.Second)
		w.within(died, 2100*time.Millisecond, "n2 down")
	}
}

func TestHostDiesAndItsConnectionBreaks(t *testing.T) {
	for name, tell := range map[string]func(*Tracker, cluster.NodeID, time.Time){
		"connection": (*Tracker).ConnectionLost, "gossip": (*Tracker).GossipDead,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3)
			w.run(10 * time.Second)
			w.kill("n2")
			died := w.now
			tell(w.tracker, "n2", w.now)
			w.step()
			w.run(5 * time.Second)
			w.within(died, 1600*time.Millisecond, "n2 down")
		})
	}
}

func TestGossipAloneMovesNothing(t *testing.T) {
	w := newWorld(t, 5)
	w.run(10 * time.Second)
	for range 20 {
		w.tracker.GossipDead("n2", w.now)
		w.step()
		w.run(777 * time.Millisecond)
	}
	w.within(t0, 0)
}

func TestAgentStops(t *testing.T) {
	for _, answer := range []Outcome{Refused, Accepted} { // stopped, hung
		t.Run(answer.String(), func(t *testing.T) {
			w := newWorld(t, 3)
			w.run(10 * time.Second)
			h := w.host("n3")
			h.agent, h.answers = false, answer
			stopped := w.now
			w.run(58 * time.Second)
			w.within(stopped, 1100*time.Millisecond, "n3 away")
			w.revive("n3")
			began := w.now
			w.run(2 * time.Second)
			w.within(began, 600*time.Millisecond, "n3 ready")
		})
	}
}

func TestAgentStaysAway(t *testing.T) {
	w := newWorld(t, 3)
	w.run(10 * time.Second)
	h := w.host("n3")
	h.agent, h.answers = false, Refused
	w.run(3 * time.Second)
	away := t0.Add(w.changes[0].At)
	w.within(w.now, 0, "n3 away")
	w.run(2 * time.Minute)
	if got := t0.Add(w.changes[0].At).Sub(away); got != time.Minute {
		t.Errorf("down %s after away, want 1m", got)
	}
	w.within(w.now, 0, "n3 down")
}

func TestReturnThatCouldNotBeRecordedCounts(t *testing.T) {
	tr := New(Config{}, "n1", t0, Evidence{})
	nodes := []*cluster.Node{
		{ID: "n1", Condition: cluster.Ready, ConditionSince: t0},
		{ID: "n2", Condition: cluster.Away, ConditionSince: t0}, // and stays so: nothing is committed
	}
	heard := t0.Add(50 * time.Second)
	var down time.Time
	for now := t0; down.IsZero() && now.Before(t0.Add(3*time.Minute)); now = now.Add(100 * time.Millisecond) {
		if now.Equal(heard) {
			tr.Heartbeat("n2", now)
		}
		v := tr.Step(slices.Values(nodes), now)
		for _, p := range v.Probe {
			tr.Probed(ProbeResult{Node: p.Node, By: "n1", Round: p.Round, Outcome: Refused, At: now})
		}
		for _, c := range v.Conditions {
			if c.Condition == cluster.Down {
				down = now
			}
		}
	}
	if silence := down.Sub(heard); silence < time.Minute || silence > time.Minute+time.Second {
		t.Errorf("down %s after the last heartbeat, want a minute", silence)
	}
}

func TestHostDiesWhileAway(t *testing.T) {
	w := newWorld(t, 3)
	w.run(10 * time.Second)
	h := w.host("n3")
	h.agent, h.answers = false, Refused
	w.run(20 * time.Second)
	w.within(w.now, 0, "n3 away")
	w.kill("n3")
	died := w.now
	w.run(5 * time.Second)
	w.within(died, 2100*time.Millisecond, "n3 down")
}

func TestRebootedHostIsTakenBackOnceItKnowsWhatRuns(t *testing.T) {
	w := newWorld(t, 3)
	w.run(10 * time.Second)
	w.kill("n2")
	w.run(5 * time.Second)
	w.within(w.now, 0, "n2 down")
	w.revive("n2")
	w.host("n2").blind = true // its engine takes long to start
	w.run(30 * time.Second)
	if n := w.host("n2").node; n.Condition != cluster.Down || !strings.Contains(n.Reason, "agent is back") {
		t.Errorf("a blind node is %s (%s), want it down and the reason", n.Condition, n.Reason)
	}
	w.changes, w.reasons = nil, nil
	w.host("n2").blind = false
	seen := w.now
	w.run(5 * time.Second)
	w.within(seen, 500*time.Millisecond, "n2 ready")
}

func TestBlindAgentOnALivingHostIsEnough(t *testing.T) {
	w := newWorld(t, 3)
	w.run(10 * time.Second)
	w.host("n2").agent = false
	w.run(10 * time.Second)
	w.within(w.now, 10*time.Second, "n2 away")
	w.host("n2").agent, w.host("n2").blind = true, true // restarted while the engine hangs
	back := w.now
	w.run(5 * time.Second)
	w.within(back, 500*time.Millisecond, "n2 ready")
}

func TestOneProberThatReachesTheHostKeepsIt(t *testing.T) {
	w := newWorld(t, 3)
	w.run(10 * time.Second)
	h := w.host("n2")
	h.agent, h.deaf = false, []cluster.NodeID{"n1"} // the leader's link to it is cut
	w.run(30 * time.Second)
	w.within(w.now, 0, "n2 away")
}

func TestDeadProbersAreNotWaitedFor(t *testing.T) {
	w := newWorld(t, 5)
	w.run(10 * time.Second)
	w.kill("n2", "n3") // each might be asked to dial the other
	died := w.now
	w.run(5 * time.Second)
	w.within(died, 2100*time.Millisecond, "n2 down", "n3 down")
}

func TestProbersThatCannotBeAskedAreNotWaitedFor(t *testing.T) {
	w := newWorld(t, 3)
	w.run(10 * time.Second)
	w.host("n3").mute = true
	w.kill("n2")
	died := w.now
	w.run(5 * time.Second)
	w.within(died, 2100*time.Millisecond, "n2 down")
}

func TestWithoutTheLeadersOwnDialNothingIsDown(t *testing.T) {
	w := newWorld(t, 3)
	w.run(10 * time.Second)
	w.host("n1").mute = true // it is out of sockets, for example
	w.kill("n2")
	w.run(30 * time.Second)
	w.within(t0, 0)
	if len(w.last.Suspect) != 1 {
		t.Errorf("suspects %+v, want n2", w.last.Suspect)
	}
}

func TestReasonsSayWhatWasSeen(t *testing.T) {
	w := newWorld(t, 3)
	w.run(10 * time.Second)
	w.kill("n2")
	w.host("n3").agent = false
	w.run(5 * time.Second)
	w.run(0)
	all := strings.Join(w.reasons, "\n")
	for _, want := range []string{"the host answers: its agent is stopped or hangs", "does not answer the leader"} {
		if !strings.Contains(all, want) {
			t.Errorf("reasons %q lack %q", w.reasons, want)
		}
	}
	got := w.last.Suspect
	if len(got) != 1 || got[0].Node != "n3" || !strings.Contains(got[0].Reason, "no heartbeat for") {
		t.Errorf("suspects %+v, want n3 alone", got)
	}
}

func TestProbesAreNotRepeatedInFlight(t *testing.T) {
	w := newWorld(t, 4)
	w.run(10 * time.Second)
	w.kill("n2")
	w.run(1200 * time.Millisecond)
	before := w.probes
	for range 10 {
		w.step()
	}
	if w.probes != before || before != 3 {
		t.Errorf("%d probes, then %d; want 3 of one round, by the leader, n3 and n4", before, w.probes)
	}
}

func TestRemovedNodesAreForgotten(t *testing.T) {
	w := newWorld(t, 3)
	w.run(10 * time.Second)
	w.hosts = w.hosts[:2]
	w.step()
	if len(w.tracker.nodes) != 2 {
		t.Errorf("%d nodes are remembered, want 2", len(w.tracker.nodes))
	}
	w.run(5 * time.Second)
	w.within(t0, 0)
}

func TestJoinerGetsTimeToConnect(t *testing.T) {
	w := newWorld(t, 2)
	w.run(10 * time.Second)
	w.hosts = append(w.hosts, &host{node: &cluster.Node{ID: "n3", Condition: cluster.Ready}, answers: Refused})
	w.step()
	w.run(2500 * time.Millisecond)
	w.host("n3").agent = true
	w.run(10 * time.Second)
	w.within(t0, 0)
}

func TestSameSignalsSameVerdicts(t *testing.T) {
	play := func() ([]change, []string) {
		w := newWorld(t, 20)
		w.run(5 * time.Second)
		w.kill("n3", "n7", "n9")
		w.run(5 * time.Second)
		w.revive("n7")
		w.run(5 * time.Second)
		return slices.Clone(w.changes), w.reasons
	}
	a, ra := play()
	b, rb := play()
	if d := cmp.Diff(a, b); d != "" || !slices.Equal(ra, rb) {
		t.Errorf("two runs differ:\n%s", d)
	}
	if len(a) != 4 {
		t.Errorf("changes %v, want three downs and a ready", a)
	}
}
