package controller

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/cluster/usage"
	"github.com/musterhq/muster/placement"
)

// A node's word is taken for its own tasks only.
func TestMeasurementsAreOfANodesOwnTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t, running(t))
		l.lead()
		synctest.Wait()
		use := api.TasksUse{Host: api.Usage{MilliCPU: 1000}}
		var own, foreign *cluster.Task
		for _, task := range l.store.w.wanted(web) {
			if task.Node == "b" {
				own = task
			} else {
				foreign = task
			}
			use.Tasks = append(use.Tasks, api.TaskUse{Task: task.ID, Usage: api.Usage{MilliCPU: 100}})
		}
		l.Heartbeat(api.Heartbeat{Node: "b", Tasks: &use})
		l.mu.Lock()
		defer l.mu.Unlock()
		if got := l.book.Demand(slotOf(own)).MilliCPU; got != 100 {
			t.Errorf("the node's own task needs %d thousandths, want 100", got)
		}
		if got := l.book.Demand(slotOf(foreign)).MilliCPU; got != 0 {
			t.Errorf("a task of node %s needs %d thousandths by node b's word", foreign.Node, got)
		}
		if got, ok := l.book.Other("b", time.Now()); !ok || got.MilliCPU != 800 {
			t.Errorf("the host's other load is %d thousandths (known %t), want 800: two tasks of 100 are ours", got.MilliCPU, ok)
		}
	})
}

// What a machine has beyond what its node offers is there for what is not ours.
func TestWhatIsKeptForOthers(t *testing.T) {
	ours := []usage.Sample{{Used: cluster.Resources{MilliCPU: 500, Memory: 1 << 30}}, {Used: cluster.Resources{MilliCPU: 500}}}
	used := cluster.Resources{MilliCPU: 3000, Memory: 5 << 30}
	for name, tt := range map[string]struct{ kept, want cluster.Resources }{
		"nothing":         {cluster.Resources{}, used},
		"not known":       {cluster.Resources{MilliCPU: -4000, Memory: -8 << 30}, used},
		"a part":          {cluster.Resources{MilliCPU: 1500, Memory: 1 << 30}, cluster.Resources{MilliCPU: 1500, Memory: 4 << 30}},
		"more than it is": {cluster.Resources{MilliCPU: 2500, Memory: 9 << 30}, cluster.Resources{MilliCPU: 1000, Memory: 1 << 30}},
	} {
		if got := within(used, ours, tt.kept); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// gib is an amount of memory.
func gib(n int64) cluster.Resources { return cluster.Resources{Memory: n << 30} }

// What is expected of a node is for each task the larger of what it reserves and
// what it is likely to use, and the rest of the host's use.
func TestExpectedUse(t *testing.T) {
	w := newWorld(t, t0, "a", "b")
	reserves := func(r cluster.Resources) func(*cluster.ServiceSpec) {
		return func(s *cluster.ServiceSpec) { s.Template.Reservations = r }
	}
	w.deploy(map[string]cluster.ServiceSpec{
		"web": spec(1, 0, reserves(gib(1)), constrained("node.hostname==a")),
		"db":  spec(1, 0, reserves(gib(2)), constrained("node.hostname==a")),
	})
	w.settle()
	w.runAll()
	book := usage.NewBook()
	book.Add(t0, "a", gib(3), []usage.Sample{
		{Slot: usage.Slot{Service: web, Slot: 1}, Used: gib(2)}, {Slot: usage.Slot{Service: db, Slot: 1}, Used: gib(0)},
	})
	got := usageOf(book, w.st.View(), t0)
	want := map[cluster.NodeID]placement.Usage{"a": {Used: gib(3), Expected: gib(2 + 2 + 1)}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := usageOf(book, w.st.View(), t0.Add(2*time.Minute)); len(got) != 0 {
		t.Errorf("after two minutes without a word: %+v", got)
	}
}

// A task waits for memory that its node has by reservations alone, and for
// nothing where no node was measured.
func TestDecideGoesByWhatIsMeasured(t *testing.T) {
	for name, tt := range map[string]struct {
		usage map[cluster.NodeID]placement.Usage
		node  cluster.NodeID
	}{
		"not measured":     {nil, "a"},
		"memory is in use": {map[cluster.NodeID]placement.Usage{"a": {Expected: gib(3)}}, ""},
		"CPU is in use":    {map[cluster.NodeID]placement.Usage{"a": {Expected: cluster.Resources{MilliCPU: 60_000}}}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, t0, "a")
			w.deploy(map[string]cluster.ServiceSpec{"web": spec(1, 100, func(s *cluster.ServiceSpec) { s.Template.Reservations.Memory = 2 << 30 })})
			d := Decide(w.st.View(), Facts{Usage: func(state.View) map[cluster.NodeID]placement.Usage { return tt.usage }}, t0, w.newID)
			if len(d.Create) != 1 || d.Create[0].Node != tt.node || d.Waiting != (tt.node == "") {
				t.Errorf("%+v", d)
			}
		})
	}
}

// A task that waits for memory in use gets its node soon after it is free, though
// nothing of the state changes.
func TestWaitingTasksAreLookedAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, time.Now(), "a")
		l := newLeader(t, w)
		l.lead()
		synctest.Wait()
		says := func(memory int64) {
			l.Heartbeat(api.Heartbeat{Node: "a", Tasks: &api.TasksUse{Host: api.Usage{Memory: memory}}})
		}
		says(4 << 30)
		l.store.commit(state.PutStack{Stack: "s", Services: []state.NamedSpec{{Name: "web", Spec: spec(1, 100, func(s *cluster.ServiceSpec) { s.Template.Reservations.Memory = 1 << 30 })}}})
		pass(time.Second)
		if got := nodesOf(l.store.w.wanted(web)); !slices.Equal(got, []cluster.NodeID{""}) {
			t.Fatalf("the task is on %v", got)
		}
		for range 100 { // until the percentile has forgotten
			pass(usage.Every)
			says(1 << 30)
		}
		pass(lookAgain)
		if got := nodesOf(l.store.w.wanted(web)); !slices.Equal(got, []cluster.NodeID{"a"}) {
			t.Errorf("the task is on %v", got)
		}
		l.stop()
	})
}

func TestHistoriesGoWithWhatTheyAreOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t, running(t))
		l.lead()
		synctest.Wait()
		task := l.store.w.wanted(web)[0]
		l.Heartbeat(api.Heartbeat{Node: task.Node, Tasks: &api.TasksUse{
			Host:  api.Usage{MilliCPU: 1000},
			Tasks: []api.TaskUse{{Task: task.ID, Usage: api.Usage{MilliCPU: 100}}},
		}})
		l.store.commit(state.RemoveStack{Stack: "s"})
		pass(time.Second)
		for t := range l.store.View().Tasks() {
			ended := cluster.Observed{Phase: cluster.PhaseExited, Final: true}
			l.store.commit(state.Observe{Node: t.Node, Tasks: []state.TaskObserved{{Task: t.ID, Observed: ended}}})
		}
		pass(time.Second)
		if _, there := l.store.View().Service(web); there {
			t.Fatal("the service is still there")
		}
		l.mu.Lock()
		if got := l.book.Demand(slotOf(task)).MilliCPU; got != 100 {
			t.Errorf("before anybody looks the history says %d, want 100", got)
		}
		l.mu.Unlock()
		pass(2 * retainEvery)
		l.mu.Lock()
		left := l.book.Demand(slotOf(task)).MilliCPU
		l.mu.Unlock()
		if left != 0 {
			t.Errorf("the removed service's history is still there: %d", left)
		}
		l.stop()
	})
}
