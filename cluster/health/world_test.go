package health

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const tick = 10 * time.Millisecond

// host is a node of the test's world.
type host struct {
	node    *cluster.Node
	agent   bool    // sends heartbeats
	answers Outcome // to whoever dials it
	// deaf lists probers whose dials do not reach it.
	deaf []cluster.NodeID
	// mute: the leader cannot ask it to dial.
	mute bool
	// blind: its agent has not seen its containers yet.
	blind bool
	beat  time.Duration // phase of its heartbeats
}

// change is a condition that the tracker proposed, and when.
type change struct {
	At   time.Duration // since t0
	Node cluster.NodeID
	To   cluster.Condition
}

func (c change) String() string { return fmt.Sprintf("%s %s at %s", c.Node, c.To, c.At) }

// world runs a Tracker against hosts in virtual time: it sends their
// heartbeats, performs probes and applies what the tracker proposes.
type world struct {
	t       *testing.T
	now     time.Time
	tracker *Tracker
	hosts   []*host
	due     []ProbeResult // results on their way, by their At
	last    Verdict
	changes []change
	reasons []string
	probes  int
}

// newWorld has the leader n1 and more nodes, all healthy and connected.
func newWorld(t *testing.T, nodes int) *world {
	w := &world{t: t, now: t0}
	for i := range nodes {
		id := cluster.NodeID(fmt.Sprintf("n%d", i+1))
		w.hosts = append(w.hosts, &host{
			node: &cluster.Node{ID: id, Condition: cluster.Ready, ConditionSince: t0}, agent: true, answers: Accepted,
			beat: time.Duration(i%50) * tick,
		})
	}
	w.elect("n1", Evidence{})
	return w
}

func (w *world) elect(leader cluster.NodeID, known Evidence) {
	w.tracker, w.due = New(Config{}, leader, w.now, known), nil
	w.last = Verdict{Wake: w.now}
}

func (w *world) host(id cluster.NodeID) *host {
	i := slices.IndexFunc(w.hosts, func(h *host) bool { return h.node.ID == id })
	return w.hosts[i]
}

// kill stops the host itself.
func (w *world) kill(ids ...cluster.NodeID) {
	for _, id := range ids {
		w.host(id).agent, w.host(id).answers = false, Silent
	}
}

func (w *world) revive(ids ...cluster.NodeID) {
	for _, id := range ids {
		w.host(id).agent, w.host(id).answers = true, Accepted
	}
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(tick)
		told := w.deliver()
		for _, h := range w.hosts {
			if h.agent && w.now.Sub(t0)%(500*time.Millisecond) == h.beat {
				w.tracker.Heartbeat(h.node.ID, w.now)
				w.tracker.Blind(h.node.ID, h.blind)
				told = told || h.node.Condition != cluster.Ready
			}
		}
		if told || !w.last.Wake.IsZero() && !w.now.Before(w.last.Wake) {
			w.step()
		}
	}
}

func (w *world) deliver() bool {
	n := len(w.due)
	w.due = slices.DeleteFunc(w.due, func(r ProbeResult) bool {
		if r.At.After(w.now) {
			return false
		}
		w.tracker.Probed(r)
		return true
	})
	return len(w.due) < n
}

func (w *world) step() {
	nodes := make([]*cluster.Node, len(w.hosts))
	for i, h := range w.hosts {
		nodes[i] = h.node
	}
	w.last = w.tracker.Step(slices.Values(nodes), w.now)
	for _, p := range w.last.Probe {
		w.dial(p)
	}
	for _, c := range w.last.Conditions {
		n := *w.host(c.Node).node
		switch {
		case n.Condition != c.Condition:
			n.ConditionSince = w.now
		case n.Reason == c.Reason:
			w.t.Fatalf("%s is %s already and was proposed to be so", c.Node, c.Condition)
		}
		n.Condition, n.Reason = c.Condition, c.Reason
		w.host(c.Node).node = &n
		w.changes = append(w.changes, change{w.now.Sub(t0), c.Node, c.Condition})
		w.reasons = append(w.reasons, c.Reason)
	}
}

func (w *world) dial(p Probe) {
	h := w.host(p.Node)
	for _, by := range p.By {
		w.probes++
		prober := w.host(by)
		if by != w.tracker.self && !prober.agent {
			continue // a dead prober never reports
		}
		r := ProbeResult{Node: p.Node, By: by, Round: p.Round, Outcome: h.answers, At: w.now.Add(tick)}
		if prober.mute {
			r.Outcome = 0
		} else if h.answers == Silent || slices.Contains(h.deaf, by) {
			r.Outcome, r.At = Silent, w.now.Add(time.Duration(p.Tries)*p.Timeout)
			if by != w.tracker.self {
				r.At = r.At.Add(tick)
			}
		}
		w.due = append(w.due, r)
	}
}

// within asserts the changes since the last call: node and condition, each not
// later than the given time after began.
func (w *world) within(began time.Time, limit time.Duration, want ...string) {
	w.t.Helper()
	var got []string
	for _, c := range w.changes {
		got = append(got, fmt.Sprintf("%s %s", c.Node, c.To))
		if took := t0.Add(c.At).Sub(began); took > limit {
			w.t.Errorf("%s: %s after it happened, want at most %s", c, took, limit)
		}
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("changes %v, want %v; reasons %q", w.changes, want, w.reasons)
	}
	w.changes, w.reasons = nil, nil
}
