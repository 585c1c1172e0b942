package placement

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func memory(amount int64) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) { s.Template.Reservations.Memory = amount }
}

func TestReasons(t *testing.T) {
	port := func(s *cluster.ServiceSpec) {
		s.Template.Ports = []cluster.Port{{Target: 80, Published: 80, Protocol: "tcp", Mode: cluster.HostPort}}
	}
	for name, tt := range map[string]struct {
		spec func(*cluster.ServiceSpec)
		task func(*cluster.Task)
		prep func(*world)
		want string
	}{
		"memory": {
			spec: memory(4*gib + 512*mib),
			want: "3 nodes: 512 MiB short",
		},
		"different shortages are told together": {
			spec: memory(4 * gib),
			prep: func(w *world) {
				w.service("o/one", memory(gib))
				w.task("o/one", on("n1"))
				w.service("o/one", memory(2*gib))
				w.task("o/one", on("n2"))
				w.do(state.SetAvailability{Node: "n3", Availability: cluster.Cordoned})
			},
			want: "2 nodes: at least 1 GiB short; 1 node: cordoned",
		},
		"cpu and memory": {
			spec: func(s *cluster.ServiceSpec) {
				s.Template.Reservations = cluster.Resources{MilliCPU: 4500, Memory: 5 * gib}
			},
			want: "3 nodes: 0.5 CPU and 1 GiB short",
		},
		"every node has its own reason": {
			prep: func(w *world) {
				w.do(state.SetAvailability{Node: "n1", Availability: cluster.Drained})
				w.do(state.Reconcile{Conditions: []state.NodeCondition{{Node: "n2", Condition: cluster.Down}}})
				w.do(state.UpdateNode{ID: "n3", EngineError: "hung"})
			},
			want: "1 node: down; 1 node: drained; 1 node: engine: hung",
		},
		"constraint": {
			spec: func(s *cluster.ServiceSpec) {
				s.Template.Constraints = []string{"node.name!=n9", "node.labels.disk==ssd"}
			},
			want: "3 nodes: does not match node.labels.disk==ssd, a label that no node has",
		},
		"constraints that exclude each other": {
			spec: func(s *cluster.ServiceSpec) {
				s.Template.Constraints = []string{"node.name==n1", "node.name in n2,n3"}
			},
			want: "node.name==n1 and node.name in n2,n3 exclude each other; " +
				"2 nodes: does not match node.name==n1; 1 node: does not match node.name in n2,n3",
		},
		"host port": {
			spec: port,
			prep: func(w *world) {
				w.service("o/one", port)
				for _, n := range []string{"n1", "n2", "n3"} {
					w.task("o/one", on(n))
				}
			},
			want: "3 nodes: port 80/tcp is taken",
		},
		"max per node": {
			spec: func(s *cluster.ServiceSpec) { s.Template.MaxPerNode = 1 },
			prep: func(w *world) {
				for _, n := range []string{"n1", "n2", "n3"} {
					w.task(web, on(n))
				}
			},
			want: "3 nodes: has 1 of the service, which is its max_replicas_per_node",
		},
		"pinned": {
			task: pinned("n2"),
			prep: func(w *world) { w.do(state.SetAvailability{Node: "n2", Availability: cluster.Cordoned}) },
			want: "its node n2: cordoned",
		},
		"pinned to a node that is gone": {
			task: pinned("n9"),
			want: "its node n9 is not in the cluster",
		},
		"pinned where there is no room": {
			spec: memory(5 * gib),
			task: pinned("n2"),
			want: "its node n2: 1 GiB short",
		},
		"capacity that shrank": {
			prep: func(w *world) {
				w.service("o/one", memory(gib))
				for _, n := range []cluster.NodeID{"n1", "n2", "n3"} {
					w.task("o/one", on(string(n)))
					w.do(state.UpdateNode{ID: n, Capacity: cluster.Resources{MilliCPU: 1000, Memory: mib}})
				}
			},
			want: "3 nodes: holds more than its capacity",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, named("n1", "n2", "n3")...)
			w.service(web, tt.spec)
			if tt.prep != nil {
				tt.prep(w)
			}
			if tt.task == nil {
				tt.task = func(*cluster.Task) {}
			}
			w.task(web, tt.task)
			wantReason(t, w.plan(), tt.want)
		})
	}
}

func TestNoNodes(t *testing.T) {
	p := Place(Snapshot{}, []Request{{Task: "t1", Service: web}}, 1)
	wantReason(t, p, "no nodes")
}

func TestQuarantine(t *testing.T) {
	w := newWorld(t, named("n1")...)
	w.service(web, nil)
	w.task(web)
	wantReason(t, w.plan("n1"), "1 node: quarantined: flapping")
	wantNodes(t, w, "n1")
}

func TestReasonsAreBounded(t *testing.T) {
	var nodes []cluster.Node
	for i := range 9 {
		nodes = append(nodes, cluster.Node{Name: fmt.Sprintf("n%d", i)})
	}
	w := newWorld(t, nodes...)
	for i := range nodes {
		w.do(state.UpdateNode{ID: cluster.NodeID(nodes[i].Name), EngineError: fmt.Sprintf("error %d", i)})
	}
	w.service(web, nil)
	w.task(web)
	got := w.plan().Pending[0].Reason
	if !strings.HasPrefix(got, "1 node: engine: error 0; ") || !strings.HasSuffix(got, "; 4 nodes: other reasons") {
		t.Errorf("reason %q, want five of them and the rest summed up", got)
	}
}

func TestHostPortsClashAsAddressesDo(t *testing.T) {
	for _, tt := range []struct {
		a, b  cluster.Port
		clash bool
	}{
		{cluster.Port{Published: 80, Protocol: "tcp"}, cluster.Port{Published: 80, Protocol: "tcp"}, true},
		{cluster.Port{Published: 80, Protocol: "tcp"}, cluster.Port{Published: 80, Protocol: "udp"}, false},
		{cluster.Port{Published: 80, Protocol: "tcp"}, cluster.Port{Published: 81, Protocol: "tcp"}, false},
		{cluster.Port{Published: 80, Protocol: "tcp", HostIP: "10.0.0.1"}, cluster.Port{Published: 80, Protocol: "tcp"}, true},
		{cluster.Port{Published: 80, Protocol: "tcp", HostIP: "10.0.0.1"}, cluster.Port{Published: 80, Protocol: "tcp", HostIP: "10.0.0.2"}, false},
	} {
		w := newWorld(t, named("n1")...)
		w.service(web, nil)
		for _, p := range []cluster.Port{tt.a, tt.b} {
			w.task(web, func(t *cluster.Task) { t.HostPorts = []cluster.Port{p} })
		}
		if got := len(w.plan().Pending) == 1; got != tt.clash {
			t.Errorf("%+v and %+v clash: %t, want %t", tt.a, tt.b, got, tt.clash)
		}
	}
}

func TestSuccessorMayTakeTheNodeOfTheTaskThatItReplaces(t *testing.T) {
	w := newWorld(t, named("n1")...)
	w.service(web, func(s *cluster.ServiceSpec) { s.Template.MaxPerNode = 1 })
	old := w.task(web, on("n1"))
	w.task(web, w.replacing(old))
	wantNodes(t, w, "n1")
	w.task(web) // one more is too many
	wantNodes(t, w, "n1", "")
}

func TestPanicSetsTheServiceAside(t *testing.T) {
	w := newWorld(t, named("n1", "n2")...)
	w.service(web, nil)
	w.service("o/bad", nil)
	w.task("o/bad")
	w.task(web)
	w.task("o/bad")
	explode := filter{"explosive", nil, func(_ *plan, _ int, j *job) refusal {
		if j.Service == "o/bad" {
			panic("boom")
		}
		return refusal{}
	}}
	p := place(math.MaxInt, FromView(w.st.View(), nil), w.requests(), 1, append([]filter{explode}, filters...))
	if len(p.SetAside) != 1 || p.SetAside[0].Service != "o/bad" || p.SetAside[0].Reason != "placing task t0001 failed: boom" {
		t.Errorf("set aside %+v, want o/bad alone", p.SetAside)
	}
	if len(p.Assign) != 1 || p.Assign[0].Task != "t0002" || len(p.Pending) != 2 {
		t.Errorf("plan %+v, want web's task placed and o/bad's pending", p)
	}
}

func TestConstraintThatCannotBeReadSetsTheServiceAside(t *testing.T) {
	w := newWorld(t, named("n1")...)
	w.service(web, func(s *cluster.ServiceSpec) { s.Template.Constraints = []string{"whatever"} })
	w.task(web)
	w.task(web)
	p := w.plan()
	if len(p.SetAside) != 1 || p.SetAside[0].Service != web || !strings.Contains(p.SetAside[0].Reason, "whatever") {
		t.Errorf("set aside %+v, want web for its constraint", p.SetAside)
	}
	if len(p.Pending) != 2 || len(p.Assign) != 0 {
		t.Errorf("plan %+v, want both tasks pending", p)
	}
}
