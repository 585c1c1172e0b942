package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const web = cluster.ServiceID("s/web")

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// world is a state driven by commands, with a leader that places tasks on the
// emptiest node and agents that the test scripts.
type world struct {
	t     fataler
	st    *state.State
	index uint64
	now   time.Time
	ids   int
	opts  Options
	wake  time.Time
	full  bool // nothing can be placed
}

func newWorld(t fataler, nodes ...string) *world {
	w := &world{t: t, st: state.New(), now: t0}
	for i, name := range nodes {
		n := cluster.Node{ID: cluster.NodeID(name), Name: name, Commands: state.Version, Capacity: cluster.Resources{MilliCPU: 64000, Memory: 64 << 30}}
		if i == 0 {
			w.do(state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1}, Node: n})
			w.do(state.PutToken{Token: cluster.Token{ID: "tok", SecretHash: "h", Uses: 1000, Expires: t0.Add(time.Hour)}})
			continue
		}
		w.do(state.JoinNode{Token: "tok", Node: n})
	}
	return w
}

func (w *world) do(b state.Body) state.Result {
	w.t.Helper()
	w.index++
	r := w.st.Apply(w.index, state.Command{At: w.now, Body: b})
	if r.Err != nil {
		w.t.Fatalf("%T: %v", b, r.Err)
	}
	if len(r.Refused) > 0 {
		w.t.Fatalf("%T: refused %v", b, r.Refused)
	}
	return r
}

func (w *world) newID() cluster.TaskID {
	w.ids++
	return cluster.TaskID(fmt.Sprintf("t%03d", w.ids))
}

// deploy puts the service with an image of the given version.
func (w *world) deploy(version string, edit ...func(*cluster.ServiceSpec)) {
	w.t.Helper()
	w.deployAs("web", version, edit...)
}

func (w *world) deployAs(name, version string, edit ...func(*cluster.ServiceSpec)) {
	w.t.Helper()
	spec := cluster.ServiceSpec{Mode: cluster.Replicated, Replicas: 3}
	spec.Template.Container.Image.Ref = "web:" + version
	spec.Template.Container.Healthcheck = &cluster.Healthcheck{Test: []string{"CMD", "true"}}
	for _, e := range edit {
		e(&spec)
	}
	w.do(state.PutStack{Stack: "s", Services: []state.NamedSpec{{Name: name, Spec: spec}}})
}

func replicas(n int) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) { s.Replicas = n }
}
func stopFirst(s *cluster.ServiceSpec) { s.Update.Order = cluster.StopFirst }
func global(s *cluster.ServiceSpec)    { s.Mode, s.Replicas = cluster.Global, 0 }
func parallel(n int) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) { s.Update.Parallelism = n }
}

func restart(c cluster.RestartCondition) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) { s.Template.Restart.Condition = c }
}

func constrained(c ...string) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) { s.Template.Constraints = c }
}

// step decides, applies, checks that deciding again changes nothing, places
// what is pending, and returns the decisions as lines.
func (w *world) step() []string {
	w.t.Helper()
	r, wake := Step(w.st.View(), w.now, w.newID, w.opts)
	w.wake = wake
	lines := w.lines(r)
	for _, s := range r.Stop {
		t, _ := w.st.View().Task(s.Task)
		if s.Seen.IsZero() {
			w.t.Errorf("the stop of %s would hold whatever became of %s", s.Task, t.Service)
		}
	}
	w.do(r)
	if again, _ := Step(w.st.View(), w.now, w.newID, w.opts); !again.Empty() {
		w.t.Fatalf("decided %q, and then at once %q", lines, w.lines(again))
	}
	w.place()
	return lines
}

// crossed decides to stop so many tasks, and applies the decision behind news
// that it did not know.
func (w *world) crossed(stops int, news func()) {
	w.t.Helper()
	r, _ := Step(w.st.View(), w.now, w.newID, w.opts)
	if len(r.Stop) != stops {
		w.t.Fatalf("decided %q, want %d stops", w.lines(r), stops)
	}
	news()
	w.index++
	w.st.Apply(w.index, state.Command{At: w.now, Body: r})
	w.place()
}

// lines writes decisions as "create 1 t004 g2 for t001" and "stop t001: why".
func (w *world) lines(r state.Reconcile) []string {
	var out []string
	for _, v := range r.Verdicts {
		out = append(out, strings.TrimSuffix(fmt.Sprintf("%s g%d is %s: %s", v.Service, v.Generation, v.Outcome, v.Reason), ": "))
	}
	for _, s := range r.Stop {
		out = append(out, fmt.Sprintf("stop %s: %s", s.Task, s.Reason))
	}
	for _, c := range r.Create {
		line := fmt.Sprintf("create %d %s g%d", c.Slot, c.ID, c.Generation)
		if c.Pinned != "" {
			line += " on " + string(c.Pinned)
		}
		if c.Replaces != "" {
			line += " for " + string(c.Replaces)
		}
		out = append(out, line)
	}
	for _, s := range r.SetAside {
		out = append(out, fmt.Sprintf("set aside %s: %s", s.Service, s.Reason))
	}
	for _, id := range r.Forget {
		out = append(out, "forget "+string(id))
	}
	return out
}

// place gives every pending task a node, or the reason why it gets none.
func (w *world) place() {
	v := w.st.View()
	for t := range v.Tasks() {
		if !live(t) || t.Node != "" {
			continue
		}
		r := state.Reconcile{Explain: []state.Explain{{Task: t.ID, Reason: "no room"}}}
		if n := w.emptiest(t.Pinned); n != "" && !w.full {
			r = state.Reconcile{Assign: []state.Assign{{Task: t.ID, Generation: t.Generation, Node: n}}}
		}
		w.do(r)
	}
}

func (w *world) emptiest(pinned cluster.NodeID) cluster.NodeID {
	v := w.st.View()
	var best cluster.NodeID
	for n := range v.Nodes() {
		if n.Unschedulable() != "" || pinned != "" && pinned != n.ID {
			continue
		}
		if best == "" || v.Allocated(n.ID).Tasks < v.Allocated(best).Tasks {
			best = n.ID
		}
	}
	return best
}

// observe has the task's agent report it.
func (w *world) observe(id cluster.TaskID, o cluster.Observed) {
	w.t.Helper()
	t, ok := w.st.View().Task(id)
	if !ok {
		w.t.Fatalf("there is no task %s", id)
	}
	w.do(state.Observe{Node: t.Node, Marks: true, Tasks: []state.TaskObserved{{Task: id, Observed: o}}})
}

var (
	running = cluster.Observed{Phase: cluster.PhaseRunning}
	backoff = cluster.Observed{Phase: cluster.PhaseBackoff, Restarts: 3, ExitCode: 1}
	exited  = cluster.Observed{Phase: cluster.PhaseExited}
	gaveUp  = cluster.Observed{Phase: cluster.PhaseExited, Final: true, ExitCode: 1}
	done    = cluster.Observed{Phase: cluster.PhaseExited, Final: true}
)

// agents lets every agent of a ready node run what it should and end what it
// should not, except tasks of the broken generations, which end up in backoff.
func (w *world) agents(broken ...uint64) {
	w.t.Helper()
	for t := range w.st.View().Tasks() {
		if t.Node == "" || w.st.View().Condition(t.Node) != cluster.Ready || t.Ended() {
			continue
		}
		switch {
		case t.Desired == cluster.Stopped:
			w.observe(t.ID, exited)
		case slices.Contains(broken, t.Generation):
			w.observe(t.ID, backoff)
		default:
			w.observe(t.ID, running)
		}
	}
}

// run lets leader and agents work until nothing changes any more.
func (w *world) run(broken ...uint64) {
	w.t.Helper()
	for range 200 {
		lines := w.step()
		hash := w.st.View().Hash()
		w.agents(broken...)
		if len(lines) == 0 && hash == w.st.View().Hash() {
			return
		}
	}
	w.t.Fatal("leader and agents are still at work after 200 rounds")
}

func (w *world) condition(node string, c cluster.Condition) {
	w.t.Helper()
	w.do(state.Reconcile{Conditions: []state.NodeCondition{{Node: cluster.NodeID(node), Condition: c}}})
}

func (w *world) available(node string, a cluster.Availability) {
	w.t.Helper()
	w.do(state.SetAvailability{Node: cluster.NodeID(node), Availability: a})
}

// decides asserts the decisions of the next step.
func (w *world) decides(want ...string) {
	w.t.Helper()
	if d := cmp.Diff(want, w.step()); d != "" {
		w.t.Errorf("decisions (-want +got):\n%s", d)
	}
}

// has asserts the service's live tasks as "1 t001 g1 n1", and their state
// where it is not running.
func (w *world) has(want ...string) {
	w.t.Helper()
	v := w.st.View()
	var got []string
	for t := range v.TasksOf(web) {
		if t.Desired != cluster.Running {
			continue
		}
		line := fmt.Sprintf("%d %s g%d %s", t.Slot, t.ID, t.Generation, t.Node)
		if s := cluster.TaskState(t, v.Condition(t.Node)); s != cluster.StateRunning {
			line += " " + string(s)
		}
		got = append(got, strings.ReplaceAll(line, "  ", " - "))
	}
	if d := cmp.Diff(want, got); d != "" {
		w.t.Errorf("tasks (-want +got):\n%s", d)
	}
}
