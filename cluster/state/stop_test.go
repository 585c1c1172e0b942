package state

import (
	"testing"

	"github.com/musterhq/muster/cluster"
)

// A service that changed while a stop was on its way may want the task, or want
// its successor first.
func TestStopFromBeforeAChangeIsRefused(t *testing.T) {
	const id = cluster.ServiceID("s/web")
	slow := spec("a", 1)
	slow.Update.Order = cluster.StopFirst
	quick := slow
	quick.Update.Order = cluster.StartFirst
	for name, change := range map[string]Body{
		"scaled":              Scale{Service: id, Replicas: 3},
		"another order":       PutStack{Stack: "s", Services: []NamedSpec{{"web", quick}}},
		"another generation":  Restart{Service: id},
		"removed":             RemoveStack{Stack: "s"},
		"nothing, deployed":   PutStack{Stack: "s", Services: []NamedSpec{{"web", slow}}},
		"of another service":  PutStack{Stack: "t", Services: []NamedSpec{{"web", slow}}},
		"the task's own news": Observe{Node: "n1", Tasks: []TaskObserved{{"1", cluster.Observed{Phase: cluster.PhaseRunning}}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "n1")
			w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", slow}}})
			w.must(Reconcile{Create: []cluster.Task{task("1", 1, "n1", 0)}})
			known, _ := w.View().Service(id)
			w.now = t0 // the clock of the next leader is behind
			w.must(change)
			now, _ := w.View().Service(id)
			stale := name != "nothing, deployed" && name != "of another service" && name != "the task's own news"
			if changed := !now.Updated.Equal(known.Updated); changed != stale {
				t.Errorf("it last changed at %v, was %v", now.Updated, known.Updated)
			}
			r := w.must(Reconcile{Stop: []StopTask{{Task: "1", Reason: "updated", Seen: known.Updated}}})
			one, _ := w.View().Task("1")
			if refused := len(r.Refused) == 1; refused != stale || (one.Desired == cluster.Running) != stale {
				t.Errorf("refused %+v, the task shall be %s", r.Refused, one.Desired)
			}
			if r := w.must(Reconcile{Stop: []StopTask{{Task: "1", Seen: now.Updated}}}); len(r.Refused) != 0 {
				t.Errorf("decided again: refused %+v", r.Refused)
			}
		})
	}
}

// What a stop rests on may have gone while it was on its way.
func TestStopHoldsAsLongAsItsGroundsDo(t *testing.T) {
	runs := func(task cluster.TaskID) Body {
		return Observe{Node: "n1", Tasks: []TaskObserved{{task, cluster.Observed{Phase: cluster.PhaseRunning}}}}
	}
	crashed := Observe{Node: "n1", Tasks: []TaskObserved{{"2", cluster.Observed{Phase: cluster.PhaseBackoff}}}}
	for name, c := range map[string]struct {
		stop    StopTask
		news    []Body
		refused string
	}{
		"idle still":           {StopTask{Idle: true}, nil, ""},
		"idle no more":         {StopTask{Idle: true}, []Body{runs("1")}, "since its task was to stop, it has become ready"},
		"whatever it does":     {StopTask{}, []Body{runs("1")}, ""},
		"another serves":       {StopTask{For: "2"}, []Body{runs("1"), runs("2")}, ""},
		"another served":       {StopTask{For: "2"}, []Body{runs("2"), crashed}, "since its task was to stop, 2, which takes over, has failed"},
		"another is forgotten": {StopTask{For: "3"}, nil, "since its task was to stop, 3, which takes over, has failed"},
		"drained still":        {StopTask{Drained: true}, []Body{SetAvailability{"n1", cluster.Drained}}, ""},
		"drained no more": {
			StopTask{Drained: true},
			[]Body{SetAvailability{"n1", cluster.Drained}, SetAvailability{"n1", cluster.Active}},
			"since its task was to stop, node n1 has become active",
		},
		"its node has left": {StopTask{Drained: true}, []Body{RemoveNode{ID: "n1"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "n2", "n1")
			w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec("a", 1)}}})
			next := task("2", 1, "n1", 0)
			next.Replaces = "1"
			w.must(Reconcile{Create: []cluster.Task{task("1", 1, "n1", 0), next}})
			for _, b := range c.news {
				w.must(b)
			}
			c.stop.Task = "1"
			var got string
			for _, r := range w.must(Reconcile{Stop: []StopTask{c.stop}}).Refused {
				got += r.Reason
			}
			if one, _ := w.View().Task("1"); got != c.refused || (one.Desired == cluster.Running) != (c.refused != "") {
				t.Errorf("refused %q, want %q; the task shall be %s", got, c.refused, one.Desired)
			}
		})
	}
}

// The places of a decision were chosen as if all that it stops were gone.
func TestPlaceBesideATaskThatStaysIsRefused(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec("a", 3)}, {"api", spec("a", 1)}}})
	w.must(Reconcile{Create: []cluster.Task{task("1", 1, "n1", 0), task("2", 2, "", 0)}})
	w.must(Observe{Node: "n1", Tasks: []TaskObserved{{"1", cluster.Observed{Phase: cluster.PhaseRunning}}}})
	other := task("5", 1, "n1", 0)
	other.Service = "s/api"
	w.must(Reconcile{
		Stop:   []StopTask{{Task: "1", Idle: true}},
		Create: []cluster.Task{task("3", 3, "n1", 0), other},
		Assign: []Assign{{Task: "2", Generation: 1, Node: "n1"}},
	})
	for id, want := range map[cluster.TaskID]cluster.NodeID{"1": "n1", "2": "", "3": "", "5": "n1"} {
		if got, _ := w.View().Task(id); got.Node != want {
			t.Errorf("task %s is on %q (%s), want %q", id, got.Node, got.Reason, want)
		}
	}
	w.must(Reconcile{Assign: []Assign{{Task: "2", Generation: 1, Node: "n1"}, {Task: "3", Generation: 1, Node: "n2"}}})
	if two, _ := w.View().Task("2"); two.Node != "n1" {
		t.Errorf("the next decision's place is refused as well: %s", two.Reason)
	}
}
