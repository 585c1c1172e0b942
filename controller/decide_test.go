package controller

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A deploy becomes running tasks by one command: they are created placed.
func TestDecidePlacesWhatItCreates(t *testing.T) {
	w := newWorld(t, t0, "a", "b", "c")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(3, 1000)})
	d := w.decide()
	if len(d.Create) != 3 || len(d.Assign) != 0 || len(d.Explain) != 0 {
		t.Fatalf("decided %+v", d.Reconcile)
	}
	on := map[cluster.NodeID]bool{}
	for _, task := range d.Create {
		on[task.Node] = true
	}
	if len(on) != 3 || on[""] {
		t.Errorf("the tasks are on %v, want one on each node", on)
	}
	w.do(d.Reconcile)
	if again := w.decide(); !again.Empty() {
		t.Errorf("decided again: %+v", again.Reconcile)
	}
}

// The verdict on a node and the replacement of its tasks are one command.
func TestDecideReplacesTheLostInTheSameCommand(t *testing.T) {
	w := newWorld(t, t0, "a", "b", "c")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(6, 500)})
	w.settle()
	w.runAll()
	lost := map[cluster.TaskID]bool{}
	for task := range w.st.View().TasksOn("b") {
		lost[task.ID] = true
	}
	if len(lost) != 2 {
		t.Fatalf("%d tasks on b, want 2", len(lost))
	}

	d := w.decide(down("b"))
	if len(d.Conditions) != 1 || d.Conditions[0] != down("b") {
		t.Errorf("conditions %v", d.Conditions)
	}
	if len(d.Create) != 2 || len(d.Stop) != 0 {
		t.Fatalf("creates %v, stops %v: the old tasks stay until their successors are ready", d.Create, d.Stop)
	}
	for _, task := range d.Create {
		if task.Node != "a" && task.Node != "c" || !lost[task.Replaces] {
			t.Errorf("task %s is on %q in place of %q", task.ID, task.Node, task.Replaces)
		}
	}
	w.do(d.Reconcile)
	if again := w.decide(); !again.Empty() {
		t.Errorf("decided again: %+v", again.Reconcile)
	}
}

// A decision does not change the slice that it was given.
func TestDecideKeepsItsArguments(t *testing.T) {
	w := newWorld(t, t0, "a", "b")
	conditions := make([]state.NodeCondition, 1, 4)
	conditions[0] = down("b")
	d := w.decide(conditions...)
	d.Conditions = append(d.Conditions, down("a"))
	if got := conditions[:2][1]; got != (state.NodeCondition{}) {
		t.Errorf("the caller's slice was written to: %v", got)
	}
}

func TestDecideExplainsWhatIsPending(t *testing.T) {
	w := newWorld(t, t0, "a", "b")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(3, 3000)})
	w.settle()
	var pending []*cluster.Task
	for _, task := range w.wanted(web) {
		if task.Node == "" {
			pending = append(pending, task)
		}
	}
	if len(pending) != 1 || !strings.Contains(pending[0].Reason, "2 CPU short") {
		t.Fatalf("pending: %+v", pending)
	}

	t.Run("again when the reason changes", func(t *testing.T) {
		w.do(state.SetAvailability{Node: "b", Availability: cluster.Cordoned})
		d := w.decide()
		want := []state.Explain{{Task: pending[0].ID, Reason: d.Explain[0].Reason}}
		if diff := cmp.Diff(want, d.Explain); diff != "" || !strings.Contains(d.Explain[0].Reason, "cordoned") {
			t.Errorf("explained %v", d.Explain)
		}
		w.do(d.Reconcile)
		if again := w.decide(); !again.Empty() {
			t.Errorf("explained again: %+v", again.Reconcile)
		}
	})
	t.Run("and places it when there is room", func(t *testing.T) {
		n, _ := w.st.View().Node("a")
		w.do(state.UpdateNode{ID: "a", Address: n.Address, APIPort: 1, GossipPort: 1, Capacity: cluster.Resources{MilliCPU: 8000, Memory: 4 << 30}})
		d := w.decide()
		want := []state.Assign{{Task: pending[0].ID, Generation: 1, Node: "a", Why: d.Assign[0].Why}}
		if diff := cmp.Diff(want, d.Assign); diff != "" || !strings.HasSuffix(want[0].Why, "no other node could take it") {
			t.Errorf("assignments (-want +got):\n%s", diff)
		}
		w.do(d.Reconcile)
		if task, _ := w.st.View().Task(pending[0].ID); task.Node != "a" || task.Reason != "" {
			t.Errorf("the task is on %q, reason %q", task.Node, task.Reason)
		}
	})
}

// A command that met another state than the one it was made for is refused in
// part, and the next decision makes up for it.
func TestDecideTakesUpRefusedParts(t *testing.T) {
	for _, tc := range []struct {
		name    string
		meddle  state.Body // lands between the decision and its commit
		refused int
		check   func(t *testing.T, w *world)
	}{
		{
			name: "the node was cordoned", meddle: state.SetAvailability{Node: "a", Availability: cluster.Cordoned}, refused: 1,
			check: func(t *testing.T, w *world) {
				if on := nodesOf(w.wanted(web)); !slices.Equal(on, []cluster.NodeID{"b", "b"}) {
					t.Errorf("tasks on %v", on)
				}
			},
		},
		{
			name: "the node left", meddle: state.RemoveNode{ID: "b"}, refused: 1,
			check: func(t *testing.T, w *world) {
				if on := nodesOf(w.wanted(web)); !slices.Equal(on, []cluster.NodeID{"a", "a"}) {
					t.Errorf("tasks on %v", on)
				}
			},
		},
		{
			name: "the service was removed", meddle: state.RemoveStack{Stack: "s"}, refused: 2,
			check: func(t *testing.T, w *world) {
				if _, ok := w.st.View().Service(web); ok {
					t.Error("the service is still there")
				}
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, t0, "a", "b")
			w.deploy(map[string]cluster.ServiceSpec{"web": spec(2, 1000)})
			d := w.decide()
			w.do(tc.meddle)
			if r := w.try(d.Reconcile); len(r.Refused) != tc.refused {
				t.Fatalf("refused %v, want %d parts", r.Refused, tc.refused)
			}
			w.settle()
			tc.check(t, w)
		})
	}
}

func nodesOf(tasks []*cluster.Task) []cluster.NodeID {
	var out []cluster.NodeID
	for _, t := range tasks {
		out = append(out, t.Node)
	}
	slices.Sort(out)
	return out
}

// A service that cannot be decided on is set aside; the others go on.
func TestDecideSetsAside(t *testing.T) {
	global := func(s *cluster.ServiceSpec) { s.Mode, s.Replicas = cluster.Global, 0 }
	for name, edit := range map[string][]func(*cluster.ServiceSpec){
		"by placement": {constrained("nonsense")},
		"by rollout":   {constrained("nonsense"), global},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, t0, "a")
			w.deploy(map[string]cluster.ServiceSpec{"web": spec(2, 100, edit...), "db": spec(1, 100)})
			d := w.decide()
			if len(d.SetAside) != 1 || d.SetAside[0].Service != web || d.SetAside[0].Reason == "" {
				t.Fatalf("set aside: %v", d.SetAside)
			}
			w.do(d.Reconcile)
			w.settle()
			if on := nodesOf(w.wanted(db)); !slices.Equal(on, []cluster.NodeID{"a"}) {
				t.Errorf("the other service's tasks are on %v", on)
			}
			for _, task := range w.wanted(web) {
				if task.Node != "" {
					t.Errorf("task %s of the service that was set aside is on %s", task.ID, task.Node)
				}
			}
			// A new deploy takes it up again.
			w.deploy(map[string]cluster.ServiceSpec{"web": spec(2, 100), "db": spec(1, 100)})
			w.settle()
			if on := nodesOf(w.wanted(web)); !slices.Equal(on, []cluster.NodeID{"a", "a"}) {
				t.Errorf("after the new deploy the tasks are on %v", on)
			}
		})
	}
}

// A node in quarantine takes no new task until its time is over.
func TestDecideHonoursQuarantine(t *testing.T) {
	w := newWorld(t, t0, "a", "b")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(2, 100)})
	quarantine := map[cluster.NodeID]time.Time{"b": t0.Add(time.Minute)}
	for _, tc := range []struct {
		now  time.Time
		want []cluster.NodeID
	}{
		{t0, []cluster.NodeID{"a", "a"}},
		{t0.Add(time.Minute), []cluster.NodeID{"a", "b"}},
	} {
		d := Decide(w.st.View(), Facts{Quarantine: quarantine}, tc.now, w.newID)
		var on []*cluster.Task
		for i := range d.Create {
			on = append(on, &d.Create[i])
		}
		if got := nodesOf(on); !slices.Equal(got, tc.want) {
			t.Errorf("after %s: placed on %v, want %v", tc.now.Sub(t0), got, tc.want)
		}
	}
}

// The same view and time give the same decision: replays and the simulator
// depend on it.
func TestDecideIsDeterministic(t *testing.T) {
	w := newWorld(t, t0, "a", "b", "c")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(7, 300), "db": spec(4, 1500)})
	first := w.decide(down("c"))
	for range 5 {
		w.ids = 0
		if diff := cmp.Diff(first, w.decide(down("c"))); diff != "" {
			t.Fatalf("another decision:\n%s", diff)
		}
	}
}

// The loss of many tasks at once is made up for at a limited rate.
func TestDecideLimitsTheRateOfReplacement(t *testing.T) {
	w := newWorld(t, t0, "a", "b")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(lossRate+50, 0, constrained("node.hostname==b"))})
	w.settle()
	w.runAll()
	w.now = t0.Add(time.Hour)
	d := w.decide(down("b"))
	if len(d.Create) != lossRate || !d.Wake.Equal(w.now.Add(time.Second)) {
		t.Errorf("%d tasks are replaced at once, the next at %s", len(d.Create), d.Wake.Sub(w.now))
	}
}
