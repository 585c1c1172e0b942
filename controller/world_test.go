package controller

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	web = cluster.ServiceID("s/web")
	db  = cluster.ServiceID("s/db")
)

// world is a replicated state that a test drives by commands.
type world struct {
	t     *testing.T
	st    *state.State
	index uint64
	now   time.Time
	ids   int
}

// newWorld makes a cluster of nodes with 4 CPUs and 4 GiB each.
func newWorld(t *testing.T, now time.Time, nodes ...string) *world {
	t.Helper()
	w := &world{t: t, st: state.New(), now: now}
	for i, name := range nodes {
		n := cluster.Node{
			ID: cluster.NodeID(name), Name: name, Address: "10.0.0." + fmt.Sprint(i+1), APIPort: 7070, GossipPort: 7071,
			Capacity: cluster.Resources{MilliCPU: 4000, Memory: 4 << 30},
		}
		if i == 0 {
			w.do(state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1}, Node: n})
			w.do(state.PutToken{Token: cluster.Token{ID: "tok", SecretHash: "h", Uses: 1000, Expires: now.Add(time.Hour)}})
			continue
		}
		w.do(state.JoinNode{Token: "tok", Node: n})
	}
	return w
}

// try applies a command; parts of it may be refused.
func (w *world) try(b state.Body) state.Result {
	w.t.Helper()
	w.index++
	r := w.st.Apply(w.index, state.Command{At: w.now, Body: b})
	if r.Err != nil {
		w.t.Fatalf("%T: %v", b, r.Err)
	}
	return r
}

func (w *world) do(b state.Body) {
	w.t.Helper()
	if r := w.try(b); len(r.Refused) > 0 {
		w.t.Fatalf("%T: refused %v", b, r.Refused)
	}
}

func (w *world) newID() cluster.TaskID {
	w.ids++
	return cluster.TaskID(fmt.Sprintf("t%03d", w.ids))
}

// spec is a service of n tasks that reserve that many thousandths of a core.
func spec(n int, milliCPU int64, edit ...func(*cluster.ServiceSpec)) cluster.ServiceSpec {
	s := cluster.ServiceSpec{Mode: cluster.Replicated, Replicas: n}
	s.Template.Container.Image = cluster.Image{Ref: "web:1", Digest: "sha256:1"}
	s.Template.Reservations.MilliCPU = milliCPU
	for _, e := range edit {
		e(&s)
	}
	return s
}

func constrained(c ...string) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) { s.Template.Constraints = c }
}

func (w *world) deploy(services map[string]cluster.ServiceSpec) {
	w.t.Helper()
	put := state.PutStack{Stack: "s"}
	for name, s := range services {
		put.Services = append(put.Services, state.NamedSpec{Name: name, Spec: s})
	}
	slices.SortFunc(put.Services, func(a, b state.NamedSpec) int { return slices.Compare([]byte(a.Name), []byte(b.Name)) })
	w.do(put)
}

// decide makes the leader's decision on the newest view.
func (w *world) decide(conditions ...state.NodeCondition) Decision {
	return Decide(w.st.View(), Facts{Conditions: conditions}, w.now, w.newID)
}

// settle decides and commits until nothing is left to decide.
func (w *world) settle(conditions ...state.NodeCondition) {
	w.t.Helper()
	for range 20 {
		d := w.decide(conditions...)
		if d.Empty() {
			return
		}
		w.do(d.Reconcile)
		conditions = nil
	}
	w.t.Fatal("the decisions do not come to an end")
}

// runAll lets the agents report every assigned task as running.
func (w *world) runAll() {
	w.t.Helper()
	for t := range w.st.View().Tasks() {
		if t.Node != "" && t.Desired == cluster.Running {
			w.do(state.Observe{Node: t.Node, Tasks: []state.TaskObserved{{Task: t.ID, Observed: cluster.Observed{Phase: cluster.PhaseRunning}}}})
		}
	}
}

// wanted are a service's tasks that shall run, by slot.
func (w *world) wanted(id cluster.ServiceID) []*cluster.Task {
	var out []*cluster.Task
	for t := range w.st.View().TasksOf(id) {
		if t.Desired == cluster.Running {
			out = append(out, t)
		}
	}
	return out
}

func down(node cluster.NodeID) state.NodeCondition {
	return state.NodeCondition{Node: node, Condition: cluster.Down, Reason: "silent"}
}
