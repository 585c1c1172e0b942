package controller

import (
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func (w *world) why(tasks ...*cluster.Task) []*api.Placing {
	return Why(w.st.View(), Facts{}, w.now, tasks)
}

func TestWhyOfAPlacedTask(t *testing.T) {
	w := newWorld(t, t0, "a", "b", "c")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(1, 1000)})
	w.settle()
	task := w.wanted(web)[0]
	got := w.why(task)[0]
	if got.Able != 3 || len(got.Candidates) != 3 || len(got.Refused) != 0 || len(got.Proposals) != 0 {
		t.Fatalf("answer %+v", got)
	}
	first, second := got.Candidates[0], got.Candidates[1]
	if !first.Here || first.Node != string(task.Node) || first.LostBy != "" || len(first.Score.Cost) == 0 {
		t.Errorf("first %+v, want the node where it is", first)
	}
	if second.Here || second.LostBy != "chance" || second.Lost == "" {
		t.Errorf("second %+v, want one that chance decided against", second)
	}
}

func TestWhyOfATaskThatWaits(t *testing.T) {
	w := newWorld(t, t0, "a", "b")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(3, 3000)})
	w.settle()
	w.do(state.SetAvailability{Node: "b", Availability: cluster.Cordoned})
	for _, task := range w.wanted(web) {
		if task.Node != "" {
			continue
		}
		got := w.why(task)[0]
		if got.Able != 0 || len(got.Refused) != 2 || len(got.Proposals) != 1 {
			t.Fatalf("answer %+v", got)
		}
		p := got.Proposals[0]
		if p.Text != "2 CPU more on a" || p.Changes[0].Kind != "room" || p.Changes[0].Node != "a" || p.Changes[0].CPUs != 2 {
			t.Errorf("proposal %+v", p)
		}
	}
}

func TestWhyOfATaskThatIsNotWanted(t *testing.T) {
	w := newWorld(t, t0, "a")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(1, 1000)})
	w.settle()
	task := w.wanted(web)[0]
	w.do(state.Reconcile{Stop: []state.StopTask{{Task: task.ID, Reason: "a test"}}})
	task, _ = w.st.View().Task(task.ID)
	if got := w.why(task); len(got) != 1 || got[0] != nil {
		t.Errorf("answer %+v, want none", got)
	}
}

func TestWhyHonoursQuarantine(t *testing.T) {
	w := newWorld(t, t0, "a")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(1, 1000)})
	f := Facts{Quarantine: map[cluster.NodeID]time.Time{"a": t0.Add(time.Minute)}}
	w.do(Decide(w.st.View(), f, t0, w.newID).Reconcile)
	got := Why(w.st.View(), f, t0, w.wanted(web))[0]
	if got.Able != 0 || len(got.Proposals) != 1 || !strings.Contains(got.Proposals[0].Text, "quarantined") {
		t.Errorf("answer %+v", got)
	}
}

// What decided is kept with a task, also when it is over.
func TestTheChoiceIsKept(t *testing.T) {
	w := newWorld(t, t0, "a", "b")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(1, 1000)})
	w.settle()
	w.runAll()
	id := w.wanted(web)[0].ID
	w.do(state.Reconcile{Stop: []state.StopTask{{Task: id, Reason: "a test"}}})
	w.do(state.Observe{Node: w.task(id).Node, Tasks: []state.TaskObserved{{Task: id, Observed: cluster.Observed{Phase: cluster.PhaseExited}}}})
	task := w.task(id)
	if !task.Ended() || !strings.HasPrefix(task.Why, "hybrid: ") || !strings.Contains(task.Why, "; second ") {
		t.Errorf("kept of %s: %q", id, task.Why)
	}
	if len(task.Why) > 200 {
		t.Errorf("%d bytes are kept", len(task.Why))
	}
}

// A place that is refused when it is applied leaves no word of the choice.
func TestAChoiceThatIsRefusedIsNotKept(t *testing.T) {
	w := newWorld(t, t0, "a")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(1, 1000)})
	d := w.decide()
	w.do(state.SetAvailability{Node: "a", Availability: cluster.Cordoned})
	w.try(d.Reconcile)
	if task := w.task(d.Create[0].ID); task.Node != "" || task.Why != "" || task.Reason == "" {
		t.Errorf("on %q, chosen by %q, reason %q", task.Node, task.Why, task.Reason)
	}
	w.do(state.SetAvailability{Node: "a", Availability: cluster.Active})
	w.settle()
	if task := w.task(d.Create[0].ID); task.Node != "a" || task.Why == "" {
		t.Errorf("on %q, chosen by %q", task.Node, task.Why)
	}
}

func (w *world) task(id cluster.TaskID) *cluster.Task {
	w.t.Helper()
	t, ok := w.st.View().Task(id)
	if !ok {
		w.t.Fatalf("there is no task %s", id)
	}
	return t
}
