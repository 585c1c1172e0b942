package controller

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func simulate(t *testing.T, w *world, s Scenario) state.View {
	t.Helper()
	before := w.st.View().Hash()
	after, err := Simulate(t.Context(), w.st.View(), Facts{}, s)
	if err != nil {
		t.Fatal(err)
	}
	if w.st.View().Hash() != before {
		t.Fatal("the simulation changed the state")
	}
	return after
}

func ready(v state.View, id cluster.ServiceID) (nodes []string) {
	for seat, task := range seats(v) {
		if seat.service == id && task.Ready() && v.Condition(task.Node) == cluster.Ready {
			nodes = append(nodes, string(task.Node))
		}
	}
	slices.Sort(nodes)
	return nodes
}

func TestSimulatedDeath(t *testing.T) {
	w := running(t) // six tasks of half a core on three nodes
	after := simulate(t, w, Scenario{Down: []cluster.NodeID{"b"}})
	if got := ready(after, web); !slices.Equal(got, []string{"a", "a", "a", "c", "c", "c"}) {
		t.Errorf("the tasks end on %v", got)
	}
	if lost := homeless(after, seats(after)); len(lost) > 0 {
		t.Errorf("without a place: %+v", lost)
	}
	for _, n := range compare(w.st.View(), after).Nodes {
		if want := map[string]int{"a": 3, "b": 0, "c": 3}[n.Name]; n.Tasks != want || n.CPUReserved != float64(want)/2 {
			t.Errorf("%s has %d tasks and %v CPUs reserved, want %d tasks", n.Name, n.Tasks, n.CPUReserved, want)
		}
	}
}

func TestSimulatedDeathThatIsTooMuch(t *testing.T) {
	w := newWorld(t, time.Now(), "a", "b", "c")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(6, 2000)})
	w.settle()
	w.runAll()
	after := simulate(t, w, Scenario{Down: []cluster.NodeID{"b"}})
	lost := homeless(after, seats(after))
	if len(lost) != 2 || lost[0].Reason == "" {
		t.Errorf("without a place: %+v, want two tasks with their reason", lost)
	}
}

func TestSimulatedDrain(t *testing.T) {
	w := running(t)
	after := simulate(t, w, Scenario{Do: []state.Body{state.SetAvailability{Node: "a", Availability: cluster.Drained}}})
	if got := ready(after, web); !slices.Equal(got, []string{"b", "b", "b", "c", "c", "c"}) {
		t.Errorf("the tasks end on %v", got)
	}
}

// A rollout with its delays is followed to its end.
func TestSimulatedDeploy(t *testing.T) {
	w := running(t)
	next := spec(8, 500, func(s *cluster.ServiceSpec) {
		s.Template.Container.Image.Digest = "sha256:2"
		s.Update.Delay = time.Minute
	})
	after := simulate(t, w, Scenario{Do: []state.Body{state.PutStack{Stack: "s", Services: []state.NamedSpec{{Name: "web", Spec: next}}}}})
	for seat, task := range seats(after) {
		if task.Generation != 2 || !task.Ready() {
			t.Errorf("slot %d ends with generation %d, ready %t", seat.slot, task.Generation, task.Ready())
		}
	}
	if n := len(seats(after)); n != 8 {
		t.Errorf("%d slots, want 8", n)
	}
}

// What finds no place is where there are more nodes.
func TestSimulatedJoin(t *testing.T) {
	w := newWorld(t, time.Now(), "a")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(3, 2000)})
	w.settle()
	w.runAll()
	join := func(name string) Scenario {
		token := cluster.Token{ID: "more", SecretHash: "h", Uses: 1, Expires: w.now.Add(time.Hour)}
		return Scenario{Do: []state.Body{state.PutToken{Token: token}, state.JoinNode{Token: token.ID, Node: cluster.Node{
			ID: cluster.NodeID(name), Name: name, Address: "10.0.1.1", APIPort: 7070, GossipPort: 7071,
			Capacity: cluster.Resources{MilliCPU: 2000, Memory: 1 << 30},
		}}}}
	}
	after := simulate(t, w, join("new"))
	if got := ready(after, web); !slices.Equal(got, []string{"a", "a", "new"}) {
		t.Errorf("the tasks end on %v", got)
	}
	if lost := homeless(after, seats(after)); len(lost) > 0 {
		t.Errorf("without a place: %+v", lost)
	}
}

func TestASimulationRefusesWhatTheClusterWould(t *testing.T) {
	w := running(t)
	_, err := Simulate(t.Context(), w.st.View(), Facts{}, Scenario{Do: []state.Body{state.SetAvailability{Node: "nobody", Availability: cluster.Drained}}})
	if err == nil {
		t.Error("a node that is not there was drained")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Simulate(ended, w.st.View(), Facts{}, Scenario{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v", err)
	}
}

func TestSurvival(t *testing.T) {
	for name, tt := range map[string]struct {
		nodes    []string
		tasks    int
		milliCPU int64
		want     int
		critical int
	}{
		"room for all on one":    {[]string{"a", "b", "c"}, 6, 500, 2, 0},
		"room for all on two":    {[]string{"a", "b", "c"}, 6, 1000, 1, 2},
		"no room for one host's": {[]string{"a", "b", "c"}, 6, 2000, 0, 1},
		"one host":               {[]string{"a"}, 1, 100, 0, 0},
		"nothing runs":           {[]string{"a", "b"}, 0, 0, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, time.Now(), tt.nodes...)
			if tt.tasks > 0 {
				w.deploy(map[string]cluster.ServiceSpec{"web": spec(tt.tasks, tt.milliCPU)})
				w.settle()
				w.runAll()
			}
			got, err := Survives(t.Context(), w.st.View(), Facts{})
			if err != nil || got.Hosts != tt.want || len(got.Critical) != tt.critical || !got.Exact {
				t.Errorf("%+v, %v; want %d hosts, %d critical", got, err, tt.want, tt.critical)
			}
		})
	}
}

func TestSubsets(t *testing.T) {
	var got []string
	for set := range subsets([]cluster.NodeID{"a", "b", "c", "d"}, 2) {
		got = append(got, string(set[0]+set[1]))
	}
	if want := []string{"ab", "ac", "ad", "bc", "bd", "cd"}; !slices.Equal(got, want) || choose(4, 2) != len(want) {
		t.Errorf("%v, and %d; want %v", got, choose(4, 2), want)
	}
}

// A task that belongs to a host goes with it: it is named with its reason, and
// says nothing of how many hosts may be lost.
func TestSimulatedDeathOfABoundTask(t *testing.T) {
	w := newWorld(t, time.Now(), "a", "b")
	w.deploy(map[string]cluster.ServiceSpec{"agent": spec(0, 100, func(s *cluster.ServiceSpec) { s.Mode = cluster.Global })})
	w.settle()
	w.runAll()
	got, err := Foresee(t.Context(), w.st.View(), Facts{}, Scenario{Down: []cluster.NodeID{"b"}})
	if err != nil || len(got.Pending) != 1 || got.Pending[0].Reason != "its node b is down" || len(got.Changes) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if s, err := Survives(t.Context(), w.st.View(), Facts{}); err != nil || s.Hosts != 1 {
		t.Errorf("%+v, %v; want that one host may be lost", s, err)
	}
}
