package rollout

import (
	"testing"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func TestDeployAndScale(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1")
	w.decides("create 1 t001 g1", "create 2 t002 g1", "create 3 t003 g1")
	w.run()
	w.has("1 t001 g1 n1", "2 t002 g1 n2", "3 t003 g1 n1")
	w.do(state.Scale{Service: web, Replicas: 1})
	w.decides("stop t002: scaled to 1", "stop t003: scaled to 1")
	w.do(state.Scale{Service: web, Replicas: 2})
	w.decides("create 2 t004 g1 for t002") // does not wait for the old one's end
	w.run()
	w.has("1 t001 g1 n1", "2 t004 g1 n2")
	w.do(state.Scale{Service: web, Replicas: 0})
	w.run()
	w.has()
}

func TestRemoveForgetsWhenAllIsOver(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", replicas(2))
	w.run()
	w.condition("n2", cluster.Down)
	w.do(state.RemoveStack{Stack: "s"})
	w.decides("stop t001: the service was removed", "stop t002: the service was removed")
	w.decides()
	w.observe("t001", exited)
	w.decides("forget s/web") // n2 is down: its task is over
	if n := w.st.View().TaskCount(); n != 0 {
		t.Errorf("%d tasks are left, want none", n)
	}
}

func TestRemoveBeforeAnythingRan(t *testing.T) {
	w := newWorld(t, "n1")
	w.full = true
	w.deploy("1", replicas(1))
	w.step()
	w.do(state.RemoveStack{Stack: "s"})
	w.decides("stop t001: the service was removed", "forget s/web")
}

func TestTasksTakeWhatTheTemplateReserves(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1", replicas(1), func(s *cluster.ServiceSpec) {
		s.Template.Reservations = cluster.Resources{MilliCPU: 500, Memory: 1 << 20}
		s.Template.Ports = []cluster.Port{
			{Target: 80, Published: 8080, Protocol: "tcp", Mode: cluster.HostPort},
			{Target: 81, Published: 8081, Protocol: "tcp", Mode: cluster.Ingress},
		}
	})
	r, _ := Step(w.st.View(), w.now, w.newID, Options{})
	got := r.Create[0]
	if got.Resources != (cluster.Resources{MilliCPU: 500, Memory: 1 << 20}) || len(got.HostPorts) != 1 || got.HostPorts[0].Published != 8080 {
		t.Errorf("created %+v, want the reservations and host port 8080", got)
	}
}

func TestSetAsideServiceIsSkipped(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1")
	w.do(state.Reconcile{SetAside: []state.SetAside{{Service: web, Reason: "its spec is broken"}}})
	w.decides()
	w.do(state.RemoveStack{Stack: "s"})
	w.decides("forget s/web")
}

func TestPanicSetsTheServiceAside(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1")
	svc, _ := w.st.View().Service(web)
	p := newPass(w.st.View(), w.now, w.newID, Options{})
	p.decide(svc, func(w *work) error {
		w.create(&seat{slot: 1}, "")
		panic("boom")
	})
	if got := w.lines(p.out); len(got) != 1 || got[0] != "set aside s/web: deciding what tasks it needs failed: boom" {
		t.Errorf("decided %q, want the service set aside and nothing else", got)
	}
}

func TestSurplusTaskInASlotStops(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1", replicas(1))
	w.run()
	// A state that no leader makes: two that replace the same one.
	for _, id := range []cluster.TaskID{"x1", "x2"} {
		r := state.Reconcile{Create: []cluster.Task{{ID: id, Service: web, Slot: 1, Generation: 1, Replaces: "t001"}}}
		w.index++
		w.st.Apply(w.index, state.Command{At: w.now, Body: r})
	}
	w.run()
	w.has("1 t001 g1 n1")
}

func TestHostPortsAreUpdatedStopFirst(t *testing.T) {
	port := func(s *cluster.ServiceSpec) {
		s.Template.Ports = []cluster.Port{{Target: 80, Published: 80, Protocol: "tcp", Mode: cluster.HostPort}}
	}
	w := newWorld(t, "n1")
	w.deploy("1", replicas(1), port)
	w.run()
	w.deploy("2", replicas(1), port)
	w.decides("stop t001: updated to generation 2")
	w.decides()
	w.agents()
	w.decides("create 1 t002 g2 for t001")
}
