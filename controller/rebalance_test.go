package controller

import (
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement"
)

// grown is a cluster whose third node joined after the service was there, and has
// rested.
func grown(t *testing.T, edit ...func(*cluster.ServiceSpec)) *world {
	t.Helper()
	w := newWorld(t, t0, "a", "b")
	for n := range w.st.View().Nodes() {
		w.do(state.UpdateNode{ID: n.ID, Commands: state.Version, Capacity: n.Capacity})
	}
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(6, 500, edit...)})
	w.act()
	for s := range w.st.View().Services() {
		w.do(state.Reconcile{Verdicts: []state.Verdict{{Service: s.ID, Generation: 1, Outcome: cluster.OutcomeGood}}})
	}
	w.do(state.JoinNode{Token: "tok", Node: cluster.Node{
		ID: "c", Name: "c", Commands: state.Version, Capacity: cluster.Resources{MilliCPU: 4000, Memory: 4 << 30},
	}})
	w.now = w.now.Add(rebalanceRest)
	return w
}

func auto(s *cluster.ServiceSpec) { s.Placement.Rebalance = cluster.RebalanceAuto }

func withVolume(s *cluster.ServiceSpec) {
	s.Template.Container.Mounts = []cluster.Mount{{Type: cluster.MountVolume, Source: "data", Target: "/data"}}
}

func TestProposals(t *testing.T) {
	for name, c := range map[string]struct {
		edit  []func(*cluster.ServiceSpec)
		ask   api.Rebalance
		moves int
		left  string
	}{
		"asked":              {nil, api.Rebalance{}, 2, ""},
		"never":              {[]func(*cluster.ServiceSpec){func(s *cluster.ServiceSpec) { s.Placement.Rebalance = cluster.RebalanceNever }}, api.Rebalance{}, 0, "x-muster.rebalance is never"},
		"with a volume":      {[]func(*cluster.ServiceSpec){withVolume}, api.Rebalance{}, 0, "its tasks have volumes or binds, which stay behind; add --stateful to move them all the same"},
		"with it all same":   {[]func(*cluster.ServiceSpec){withVolume}, api.Rebalance{Stateful: true}, 2, ""},
		"ends by itself":     {[]func(*cluster.ServiceSpec){func(s *cluster.ServiceSpec) { s.Template.Restart.Condition = cluster.RestartNever }}, api.Rebalance{}, 0, "its tasks end by themselves, and would begin anew"},
		"nothing to pack":    {nil, api.Rebalance{Pack: true}, 0, ""},
		"left to the leader": {[]func(*cluster.ServiceSpec){auto}, api.Rebalance{}, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := grown(t, c.edit...)
			p := Proposals(w.st.View(), Facts{}, w.now, nil, c.ask)
			if len(p.Moves) != c.moves {
				t.Errorf("%+v, want %d moves", p.Moves, c.moves)
			}
			if c.left == "" != (len(p.Left) == 0) || c.left != "" && p.Left[0].Reason != c.left {
				t.Errorf("left %+v, want %q", p.Left, c.left)
			}
		})
	}
}

// The leader fills a node one task a service at a time, with or without a change of
// leaders, and then leaves all in peace.
func TestTheLeaderFillsANodeByItself(t *testing.T) {
	w := grown(t, auto)
	moves := 0
	for {
		m := OwnMoves(w.st.View(), Facts{}, w.now)
		if len(m.Tasks) == 0 {
			break
		}
		if moves++; len(m.Tasks) != 1 || moves > 2 {
			t.Fatalf("move %d: %+v", moves, m)
		}
		w.do(m)
		if again := OwnMoves(w.st.View(), Facts{}, w.now); len(again.Tasks) > 0 {
			t.Fatalf("another leader moves %+v while one is to leave", again.Tasks)
		}
		w.act()
	}
	if on := nodesOf(w.wanted(web)); !slices.Equal(on, []cluster.NodeID{"a", "a", "b", "b", "c", "c"}) {
		t.Errorf("tasks on %v", on)
	}
}

func TestTheLeaderDoesNotMoveWhat(t *testing.T) {
	for name, w := range map[string]*world{
		"is left to its user": grown(t),
		"has a volume":        grown(t, auto, withVolume),
		"a node that flaps would get": func() *world {
			w := grown(t, auto)
			w.now = w.now.Add(-time.Second)
			return w
		}(),
	} {
		if m := OwnMoves(w.st.View(), Facts{}, w.now); len(m.Tasks) > 0 {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// The leader looks again as soon as the last node has been ready for long enough.
func TestNodesRest(t *testing.T) {
	w := grown(t)
	early := w.now.Add(-10 * time.Second)
	if got := unrested(w.st.View(), early); got != 10*time.Second {
		t.Errorf("ten seconds before it has rested: %v", got)
	}
	if got := unrested(w.st.View(), w.now); got != 0 {
		t.Errorf("once it has: %v", got)
	}
	w.do(state.Reconcile{Conditions: []state.NodeCondition{{Node: "c", Condition: cluster.Down}}})
	if got := unrested(w.st.View(), early); got != 0 {
		t.Errorf("where the one that joined is down: %v", got)
	}
}

func TestTheLeaderShedsLoad(t *testing.T) {
	w := grown(t, auto, func(s *cluster.ServiceSpec) {
		s.Placement.Policy = cluster.PolicyRealtime
		s.Template.Reservations = cluster.Resources{}
	})
	f := Facts{
		Usage: func(state.View) map[cluster.NodeID]placement.Usage {
			return map[cluster.NodeID]placement.Usage{
				"a": {Used: cluster.Resources{MilliCPU: 3900}}, "b": {Used: cluster.Resources{MilliCPU: 3000}}, "c": {},
			}
		},
		Demand: func(*cluster.Task) cluster.Resources { return cluster.Resources{MilliCPU: 900} },
	}
	m := OwnMoves(w.st.View(), f, w.now)
	if len(m.Tasks) != 1 || m.Tasks[0].From != "a" || m.Tasks[0].To != "c" || m.Tasks[0].Why != "its node is busy" {
		t.Errorf("%+v", m.Tasks)
	}
}
