package placement

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	web = cluster.ServiceID("s/web")
	mib = int64(1) << 20
	gib = int64(1) << 30
)

// world is a state driven by commands.
type world struct {
	t     fataler
	st    *state.State
	index uint64
	ids   int
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func newWorld(t fataler, nodes ...cluster.Node) *world {
	w := &world{t: t, st: state.New()}
	for i, n := range nodes {
		n.ID = cluster.NodeID(n.Name)
		if n.Capacity.MilliCPU == 0 {
			n.Capacity.MilliCPU, n.Capacity.Memory = 4000, 4*gib
		}
		if i == 0 {
			w.do(state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1}, Node: n})
			w.do(state.PutToken{Token: cluster.Token{ID: "tok", SecretHash: "h", Uses: 1 << 20, Expires: t0.Add(time.Hour)}})
			continue
		}
		w.do(state.JoinNode{Token: "tok", Node: n})
	}
	return w
}

// named makes nodes of the default size.
func named(names ...string) []cluster.Node {
	var out []cluster.Node
	for _, n := range names {
		out = append(out, cluster.Node{Name: n})
	}
	return out
}

// zoned makes nodes with a zone label each, from name and zone in turn.
func zoned(pairs ...string) []cluster.Node {
	var out []cluster.Node
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, cluster.Node{Name: pairs[i], Labels: map[string]string{"zone": pairs[i+1]}})
	}
	return out
}

func (w *world) do(b state.Body) {
	w.t.Helper()
	w.index++
	r := w.st.Apply(w.index, state.Command{At: t0, Body: b})
	if r.Err != nil {
		w.t.Fatalf("%T: %v", b, r.Err)
	}
	if len(r.Refused) > 0 {
		w.t.Fatalf("%T: refused %v", b, r.Refused)
	}
}

// service deploys a service in a stack of its own.
func (w *world) service(id cluster.ServiceID, edit func(*cluster.ServiceSpec)) {
	w.t.Helper()
	spec := cluster.ServiceSpec{Mode: cluster.Replicated}
	if edit != nil {
		edit(&spec)
	}
	w.do(state.PutStack{Stack: id.Stack(), Services: []state.NamedSpec{{Name: id.Name(), Spec: spec}}})
}

// task adds a task of the service's template to a free slot.
func (w *world) task(id cluster.ServiceID, edit ...func(*cluster.Task)) cluster.TaskID {
	w.t.Helper()
	w.ids++
	s, _ := w.st.View().Service(id)
	tpl := s.Spec.Template
	t := cluster.Task{
		ID: cluster.TaskID(fmt.Sprintf("t%04d", w.ids)), Service: id, Slot: w.ids, Generation: s.Generation,
		Resources: tpl.Reservations, HostPorts: tpl.HostPorts(),
	}
	for _, e := range edit {
		e(&t)
	}
	w.do(state.Reconcile{Create: []cluster.Task{t}})
	return t.ID
}

func on(node string) func(*cluster.Task) {
	return func(t *cluster.Task) { t.Node = cluster.NodeID(node) }
}

func pinned(node string) func(*cluster.Task) {
	return func(t *cluster.Task) { t.Pinned = cluster.NodeID(node) }
}

// replacing puts the task into the slot of another.
func (w *world) replacing(id cluster.TaskID) func(*cluster.Task) {
	return func(t *cluster.Task) {
		old, _ := w.st.View().Task(id)
		t.Replaces, t.Slot = id, old.Slot
	}
}

// requests are those of all tasks without a node.
func (w *world) requests() []Request {
	v := w.st.View()
	var out []Request
	for t := range v.Tasks() {
		if t.Node == "" && t.Desired == cluster.Running {
			s, _ := v.Service(t.Service)
			out = append(out, RequestOf(t, s, s.Spec.Template))
		}
	}
	return out
}

func (w *world) plan(quarantined ...cluster.NodeID) Plan {
	q := map[cluster.NodeID]bool{}
	for _, id := range quarantined {
		q[id] = true
	}
	return Place(FromView(w.st.View(), q), w.requests(), 1)
}

// nodesOf are the chosen nodes, "" for a refused one, in request order.
func (w *world) nodesOf(p Plan) []string {
	by := map[cluster.TaskID]string{}
	for _, c := range p.Assign {
		by[c.Task] = string(c.Node)
	}
	var out []string
	for _, r := range w.requests() {
		out = append(out, by[r.Task])
	}
	return out
}

// apply puts the plan into the state, which checks it again.
func (w *world) apply(p Plan) {
	w.t.Helper()
	var r state.Reconcile
	for _, c := range p.Assign {
		t, _ := w.st.View().Task(c.Task)
		r.Assign = append(r.Assign, state.Assign{Task: c.Task, Generation: t.Generation, Node: c.Node, Devices: c.Devices})
	}
	w.do(r)
}

func wantNodes(t *testing.T, w *world, want ...string) {
	t.Helper()
	p := w.plan()
	if d := cmp.Diff(want, w.nodesOf(p)); d != "" {
		t.Errorf("nodes (-want +got):\n%s%+v", d, p.Pending)
	}
}

func wantReason(t *testing.T, p Plan, want string) {
	t.Helper()
	if len(p.Pending) != 1 || p.Pending[0].Reason != want {
		t.Errorf("pending %+v, want one because %q", p.Pending, want)
	}
}
