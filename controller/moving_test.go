package controller

import (
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func stopFirst(s *cluster.ServiceSpec) { s.Update.Order = cluster.StopFirst }

// move asks a service's tasks on a node to go to another.
func (w *world) move(id cluster.ServiceID, from, to cluster.NodeID) {
	w.t.Helper()
	var m state.Move
	for _, t := range w.wanted(id) {
		if t.Node == from {
			m.Tasks = append(m.Tasks, state.MoveTask{Task: t.ID, From: from, To: to})
		}
	}
	w.do(m)
}

// act lets the leader and all agents work until nothing is left to do.
func (w *world) act() {
	w.t.Helper()
	quiet := 0
	for range 60 {
		w.now = w.now.Add(10 * time.Second)
		before := w.st.View().Hash()
		w.settle()
		w.runAll()
		for t := range w.st.View().Tasks() {
			if t.Desired == cluster.Stopped && t.Node != "" && !t.Ended() {
				w.do(state.Observe{Node: t.Node, Tasks: []state.TaskObserved{{Task: t.ID, Observed: cluster.Observed{Phase: cluster.PhaseExited}}}})
			}
		}
		if quiet++; w.st.View().Hash() != before {
			quiet = 0
		}
		if quiet == 7 { // a minute
			return
		}
	}
	w.t.Fatal("leader and agents are still at work")
}

func TestATaskGoesWhereItIsAskedTo(t *testing.T) {
	for name, edit := range map[string][]func(*cluster.ServiceSpec){"start-first": nil, "stop-first": {stopFirst}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, t0, "a", "b", "c")
			for _, a := range []cluster.Availability{cluster.Cordoned, cluster.Active} {
				w.do(state.SetAvailability{Node: "b", Availability: a})
				w.do(state.SetAvailability{Node: "c", Availability: a})
				w.deploy(map[string]cluster.ServiceSpec{"web": spec(2, 100, edit...)})
				w.act()
			}
			w.move(web, "a", "c")
			w.act()
			if on := nodesOf(w.wanted(web)); !slices.Equal(on, []cluster.NodeID{"c", "c"}) {
				t.Errorf("tasks on %v", on)
			}
		})
	}
}

// A task that no other node takes goes on where it is, also one that would have to
// stop first, until there is a node for it.
func TestATaskThatNoOtherNodeTakesIsLeftInPeace(t *testing.T) {
	for name, edit := range map[string][]func(*cluster.ServiceSpec){"start-first": nil, "stop-first": {stopFirst}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, t0, "a", "b")
			w.do(state.SetAvailability{Node: "b", Availability: cluster.Drained})
			w.deploy(map[string]cluster.ServiceSpec{"web": spec(3, 100, edit...)})
			w.act()
			w.move(web, "a", "")
			if d := w.decide(); !d.Empty() {
				t.Fatalf("decided %+v", d.Reconcile)
			}
			w.do(state.SetAvailability{Node: "b", Availability: cluster.Active})
			w.act()
			if on := nodesOf(w.wanted(web)); !slices.Equal(on, []cluster.NodeID{"b", "b", "b"}) {
				t.Errorf("tasks on %v", on)
			}
		})
	}
}

// A task that does not run is replaced at once, if need be on its own node.
func TestATaskThatStoppedToLeaveMayComeBack(t *testing.T) {
	w := newWorld(t, t0, "a", "b")
	w.do(state.SetAvailability{Node: "b", Availability: cluster.Drained})
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(1, 100)})
	w.settle()
	w.move(web, "a", "")
	w.act()
	if on := nodesOf(w.wanted(web)); !slices.Equal(on, []cluster.NodeID{"a"}) {
		t.Errorf("tasks on %v", on)
	}
}

// What was to take over and lost its place to something else is withdrawn; an
// update, which is for more than the move, goes on where the task is.
func TestASuccessorThatFindsNoPlace(t *testing.T) {
	begin := func() *world {
		w := newWorld(t, t0, "a", "b")
		w.do(state.SetAvailability{Node: "b", Availability: cluster.Cordoned})
		w.deploy(map[string]cluster.ServiceSpec{"web": spec(1, 100)})
		w.act()
		w.move(web, "a", "")
		return w
	}
	t.Run("of a move", func(t *testing.T) {
		w := begin()
		old := w.wanted(web)[0]
		w.do(state.Reconcile{Create: []cluster.Task{{ID: "zzz", Service: web, Slot: 1, Generation: 1, Replaces: old.ID}}})
		d := w.decide()
		if len(d.Stop) != 1 || d.Stop[0].Task != "zzz" || d.Stop[0].Reason != "withdrawn: no other node takes it" {
			t.Fatalf("%+v", d.Reconcile)
		}
		w.do(d.Reconcile)
		if d := w.decide(); !d.Empty() {
			t.Errorf("then %+v", d.Reconcile)
		}
	})
	t.Run("of an update", func(t *testing.T) {
		w := begin()
		w.do(state.Restart{Service: web})
		w.act()
		if on := w.wanted(web); len(on) != 1 || on[0].Generation != 2 || on[0].Node != "a" {
			t.Errorf("%+v", on[0])
		}
	})
}
