package placement

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// ranked asks devices at a priority.
func ranked(kind string, milli int64, priority int) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) {
		asking(kind, milli)(s)
		s.Placement.Priority = &priority
	}
}

func evicted(p Plan) (out []cluster.TaskID) {
	for _, e := range p.Evict {
		out = append(out, e.Task)
	}
	return out
}

// A task of a higher priority takes devices from those that are cheapest to do
// without, of every kind.
func TestDevicesAreTakenFromLowerOnes(t *testing.T) {
	for name, tc := range map[string]struct {
		kind      string
		low, high int64
		tasks     int
		priority  int
		want      int // tasks that are evicted
	}{
		"a whole GPU":           {"gpu", 1000, 1000, 4, 60, 1},
		"two":                   {"gpu", 1000, 2000, 4, 60, 2},
		"one that is shared":    {"gpu", 250, 1000, 16, 60, 4},
		"a share":               {"gpu", 1000, 500, 4, 60, 1},
		"another kind":          {"tty", 1000, 1000, 4, 60, 1},
		"too small a gap":       {"gpu", 1000, 1000, 4, 59, 0},
		"more than a node has":  {"gpu", 1000, 3000, 4, 90, 0},
		"what nobody has":       {"fpga", 1000, 1000, 0, 90, 0},
		"what is free is taken": {"gpu", 1000, 1000, 3, 90, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, with("n1", 2, 2), with("n2", 2, 2))
			w.service("o/low", asking(tc.kind, tc.low))
			for range tc.tasks {
				w.task("o/low")
			}
			p := w.plan()
			if len(p.Assign) != tc.tasks {
				t.Fatalf("plan %+v", p)
			}
			w.apply(p)
			w.service(web, ranked(tc.kind, tc.high, tc.priority))
			w.task(web)
			if p := w.plan(); len(p.Evict) != tc.want {
				t.Errorf("evicts %v, want %d; pending %+v", p.Evict, tc.want, p.Pending)
			}
		})
	}
}

// As long as those that were evicted are on their way out nobody else is, what
// they leave is kept, and once they have left the task is there.
func TestDevicesAreKeptForWhomTheyWereTaken(t *testing.T) {
	w := newWorld(t, with("n1", 1, 0))
	w.service("o/low", asking("gpu", 500))
	first, second := w.task("o/low"), w.task("o/low")
	w.apply(w.plan())
	w.service(web, ranked("gpu", 1000, 80))
	high := w.task(web)
	w.task("o/low") // comes later, and would fit in what the first leaves
	plan := func() Plan {
		v := w.st.View()
		reqs := w.requests()
		if reqs[0].Task != high {
			t.Fatalf("the first request is %s", reqs[0].Task)
		}
		return Place(FromView(v, nil), reqs, 1)
	}
	p := plan()
	if d := cmp.Diff([]cluster.TaskID{first, second}, evicted(p)); d != "" {
		t.Fatalf("evicted (-want +got):\n%s", d)
	}
	w.do(state.Reconcile{Stop: []state.StopTask{{Task: first, Reason: "a test"}, {Task: second, Reason: "a test"}}})
	for i, id := range []cluster.TaskID{first, second} {
		if p := plan(); len(p.Assign) != 0 || len(p.Evict) != 0 {
			t.Fatalf("with %d gone: assigns %+v, evicts %+v", i, p.Assign, p.Evict)
		}
		w.do(state.Observe{Node: "n1", Tasks: []state.TaskObserved{{Task: id, Observed: cluster.Observed{Phase: cluster.PhaseExited}}}})
	}
	p = plan()
	if len(p.Assign) != 1 || p.Assign[0].Task != high || len(p.Evict) != 0 {
		t.Errorf("assigns %+v, evicts %+v, want the task there", p.Assign, p.Evict)
	}
	w.apply(p)
}

// Two that take the devices of one node take different ones.
func TestDevicesAreTakenForOneOnly(t *testing.T) {
	w := newWorld(t, with("n1", 2, 0))
	w.service("o/low", asking("gpu", 1000))
	w.task("o/low")
	w.task("o/low")
	w.apply(w.plan())
	w.service(web, ranked("gpu", 1000, 80))
	for range 3 {
		w.task(web)
	}
	if p := w.plan(); len(p.Evict) != 2 || p.Evict[0].Task == p.Evict[1].Task || p.Evict[0].For == p.Evict[1].For {
		t.Errorf("evicts %+v, want both tasks, for two of three", p.Evict)
	}
}
