package placement

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// alone adds a service with one task, on a node or, if that is "", waiting.
func (w *world) alone(id cluster.ServiceID, cpu, memory int64, node string) cluster.TaskID {
	w.service(id, policed("", cpu, memory))
	if node == "" {
		return w.task(id)
	}
	return w.task(id, on(node))
}

// The best of a group is the best of all that were asked for the whole price.
func TestNoBetterNodeIsPassedOver(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := randomWorld(rt)
		for _, r := range w.requests() {
			p := newPlan(FromView(w.st.View(), nil), 1, filters)
			p.see(&r)
			g := p.newGroup(&r)
			best, second := g.best()
			for i := range g.candidates {
				c := &g.candidates[i]
				if p.refusal(c.node, g.job, true) != (refusal{}) {
					continue
				}
				if g.settle(c); best == nil || g.compare(c, best) < 0 || second == nil && c != best || c != best && g.compare(c, second) < 0 {
					rt.Fatalf("%+v is better than %+v or %+v", c, best, second)
				}
			}
		}
	})
}

// What runs says what will come: the small task goes where no more large ones fit.
func TestHybridKeepsRoomForWhatIsUsual(t *testing.T) {
	w := newWorld(t, named("n1", "n2", "n3")...)
	w.alone("a/large", 3000, 3*gib, "n1")
	w.alone("b/large", 3000, 3*gib, "n3")
	w.alone("s/small", 500, gib/2, "")
	p := w.plan()
	if got := w.nodesOf(p)[0]; got == "n2" {
		t.Errorf("the small task took the only node that a large one fits: %s", p.Assign[0].Text())
	}
}

// GPUs are left to those that need some, whatever order the nodes are in.
func TestHybridLeavesGPUsToOthers(t *testing.T) {
	nodes := named("n1", "n2")
	nodes[0].Capacity = cluster.Resources{MilliCPU: 4000, Memory: 4 * gib, MilliGPU: 1000}
	nodes[0].Devices = []cluster.HostDevice{{Kind: cluster.DeviceGPU, ID: "g0"}}
	w := newWorld(t, nodes...)
	for i := range 4 {
		w.alone(cluster.ServiceID(fmt.Sprintf("a%d/web", i)), 1000, gib, "")
	}
	w.service("g/train", func(s *cluster.ServiceSpec) {
		s.Template.Reservations = cluster.Resources{MilliCPU: 4000, Memory: gib, MilliGPU: 1000}
		s.Template.Devices = []cluster.DeviceRequest{{Kind: cluster.DeviceGPU, Milli: 1000}}
	})
	w.task("g/train")
	if p := w.plan(); len(p.Pending) > 0 {
		t.Errorf("%+v", p)
	}
}

func TestLastingIsTheShareOfSlotsThatStay(t *testing.T) {
	w := newWorld(t, named("n1")...)
	if got := FromView(w.st.View(), nil).lasting; got != 1 {
		t.Errorf("%v without tasks, want 1", got)
	}
	w.service(web, memory(mib))
	old := w.task(web, on("n1"))
	w.task(web, w.replacing(old), on("n1"))
	w.do(state.Reconcile{Stop: []state.StopTask{{Task: old}}})
	ends := w.task(web, on("n1"))
	if got := FromView(w.st.View(), nil).lasting; got != 1 {
		t.Errorf("%v of slots that have a task, want 1", got)
	}
	w.do(state.Observe{Node: "n1", Tasks: []state.TaskObserved{{Task: ends, Observed: cluster.Observed{Phase: cluster.PhaseExited, Final: true}}}})
	if got := FromView(w.st.View(), nil).lasting; got != 0.5 {
		t.Errorf("%v, one of two slots has ended, want 0.5", got)
	}
}

// A node's tasks may hold all of it: only what is measured makes it hot.
func TestUnmeasuredNodesAreNotHot(t *testing.T) {
	w := newWorld(t, named("n1", "n2")...)
	w.alone("a/web", 3000, 3*gib, "n1")
	w.alone("b/web", 1000, gib, "")
	wantNodes(t, w, "n1")
	snap := FromView(w.st.View(), nil)
	snap = snap.Measured(measure(map[string]cluster.Resources{"n1": {MilliCPU: 3000}}))
	if p := Place(snap, w.requests(), 1); p.Assign[0].Node != "n2" {
		t.Errorf("a hot node was chosen: %s", p.Assign[0].Text())
	}
}
