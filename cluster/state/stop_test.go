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
