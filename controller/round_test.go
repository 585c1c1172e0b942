package controller

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// rounds decides and commits within a budget, as a leader does, until nothing is
// due; it reports how many decisions that took.
func (w *world) rounds(visits int) int {
	w.t.Helper()
	var r round
	for n := 1; n < 1000; n++ {
		index := w.st.View().Index()
		d := Decide(w.st.View(), Facts{Visits: visits, Resume: r.next(index)}, w.now, w.newID)
		if !d.Empty() {
			w.do(d.Reconcile)
		}
		if again := r.note(index, &d); d.Empty() && !again {
			return n
		}
	}
	w.t.Fatal("the decisions do not come to an end")
	return 0
}

// Tasks that find no node and use up the budget keep nobody else from one.
func TestWhatFindsNoNodeStarvesNobody(t *testing.T) {
	w := newWorld(t, t0, "a", "b", "c")
	for i := range 10 {
		w.do(state.PutStack{Stack: fmt.Sprintf("a%d", i), Services: []state.NamedSpec{{Name: "large", Spec: spec(1, 9000)}}})
	}
	w.settle()
	w.now = w.now.Add(time.Second)
	w.do(state.PutStack{Stack: "z", Services: []state.NamedSpec{{Name: "web", Spec: spec(2, 100)}}})
	if n := w.rounds(1); n < 12 {
		t.Errorf("within one visit each, %d decisions answered 12 tasks", n)
	}
	for _, task := range w.wanted("z/web") {
		if task.Node == "" {
			t.Errorf("%s waits: %s", task.ID, task.Reason)
		}
	}
}

// Whoever was refused at the beginning of a round is asked again when something
// changed before its end.
func TestARoundInWhichSomethingChangedIsFollowedByAnother(t *testing.T) {
	var r round
	d := Decision{Resume: "t2"}
	if r.next(5) != "" || !r.note(5, &d) {
		t.Fatal("a round that has not ended is over")
	}
	if r.next(6) != "t2" {
		t.Fatal("the second decision does not go on where the first ended")
	}
	if !r.note(6, &Decision{}) {
		t.Error("the change is overlooked")
	}
	if r.next(6) != "" || r.note(6, &Decision{}) {
		t.Error("the next round does not begin anew, or does not end")
	}
	r.next(7)
	r.note(7, &d)
	if r.stop(); r.next(7) != "" {
		t.Error("after a failure the round goes on")
	}
}

// TestAnyBudgetEndsAsNoneDoes: with any budget as many tasks are placed in the
// end, and none that some node could take waits.
func TestAnyBudgetEndsAsNoneDoes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, t0, "a", "b", "c")
		for i := range rapid.IntRange(1, 6).Draw(rt, "services") {
			s := spec(rapid.IntRange(1, 4).Draw(rt, "tasks"), int64(rapid.IntRange(1, 9).Draw(rt, "size"))*500)
			w.do(state.PutStack{Stack: fmt.Sprintf("s%d", i), Services: []state.NamedSpec{{Name: "web", Spec: s}}})
		}
		w.rounds(rapid.IntRange(1, 30).Draw(rt, "visits"))
		v := w.st.View()
		for task := range v.Unplaced() {
			for n := range v.Nodes() {
				if task.Resources.Fits(n.Capacity.Sub(v.Allocated(n.ID).Resources)) {
					rt.Fatalf("%s waits (%s), and fits on %s", task.ID, task.Reason, n.Name)
				}
			}
			if task.Reason == "" {
				rt.Fatalf("%s waits without a reason", task.ID)
			}
		}
	})
}

// A simulation follows a queue that takes several decisions.
func TestASimulationGoesThroughTheWholeQueue(t *testing.T) {
	w := newWorld(t, t0, "a", "b")
	w.deploy(map[string]cluster.ServiceSpec{"db": spec(3, 9000), "web": spec(3, 100)})
	after, err := Simulate(t.Context(), w.st.View(), Facts{Visits: 1}, Scenario{})
	if err != nil {
		t.Fatal(err)
	}
	if got := ready(after, web); len(got) != 3 {
		t.Errorf("ready on %v, want three", got)
	}
}
