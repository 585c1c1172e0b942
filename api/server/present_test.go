package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// What agents report.
var (
	up      = cluster.Observed{Phase: cluster.PhaseRunning}
	sick    = cluster.Observed{Phase: cluster.PhaseRunning, Health: cluster.HealthUnhealthy}
	backoff = cluster.Observed{Phase: cluster.PhaseBackoff}
	done    = cluster.Observed{Phase: cluster.PhaseExited, Final: true}
	failed  = cluster.Observed{Phase: cluster.PhaseExited, Final: true, ExitCode: 1}
	exited  = cluster.Observed{Phase: cluster.PhaseExited}
)

// task creates a task of shop/web's current generation and reports it.
func (r *ring) task(id string, slot int, on string, o cluster.Observed, edit ...func(*cluster.Task)) cluster.TaskID {
	r.t.Helper()
	s, _ := r.view().Service("shop/web")
	t := cluster.Task{ID: cluster.TaskID(id), Service: s.ID, Slot: slot, Generation: s.Generation}
	if on != "" {
		t.Node = r.host(on).id
	}
	for _, e := range edit {
		e(&t)
	}
	r.apply(state.Reconcile{Create: []cluster.Task{t}})
	if o.Phase != cluster.PhaseNone {
		r.observe(r.host(on), t.ID, o)
	}
	return t.ID
}

func pinned(t *cluster.Task) { t.Pinned = t.Node }

func replaces(id cluster.TaskID) func(*cluster.Task) {
	return func(t *cluster.Task) { t.Replaces = id }
}

func (r *ring) stopTask(id cluster.TaskID) {
	r.t.Helper()
	r.apply(state.Reconcile{Stop: []state.StopTask{{Task: id, Reason: "a test"}}})
}

func (r *ring) condition(name string, c cluster.Condition) {
	r.t.Helper()
	r.apply(state.Reconcile{Conditions: []state.NodeCondition{{Node: r.host(name).id, Condition: c, Reason: "a test"}}})
}

func (r *ring) remove(name string) {
	r.t.Helper()
	r.apply(state.RemoveNode{ID: r.host(name).id})
}

func TestNodeList(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "n3", "n4", "w5")
	soft := softLeader{suspects: map[cluster.NodeID]bool{}, usage: map[cluster.NodeID]api.Usage{}}
	for _, h := range r.hosts {
		soft.usage[h.id] = api.Usage{MilliCPU: 1500, Memory: 1 << 30}
	}
	delete(soft.usage, r.host("w5").id)
	soft.suspects[r.host("n2").id] = true
	soft.suspects[r.host("n3").id] = true
	r.host("n1").backend.Leader = soft
	r.condition("n3", cluster.Away)
	r.condition("n4", cluster.Down)
	r.apply(state.SetAvailability{Node: r.host("w5").id, Availability: cluster.Drained})
	lines := func(h *host) (out []string) {
		for _, n := range get[[]api.Node](h, "/v1/nodes") {
			used := "null"
			if n.CPUUsed != nil && n.MemoryUsed != nil {
				used = fmt.Sprintf("%g/%d", *n.CPUUsed, *n.MemoryUsed)
			}
			out = append(out, strings.Join([]string{n.Name, n.State, n.Availability, n.Role, used}, " "))
		}
		slices.Sort(out)
		return out
	}
	want := []string{
		"n1 ready active leader 1.5/1073741824",
		"n2 suspect active voter 1.5/1073741824",
		"n3 away active voter 1.5/1073741824",
		"n4 down active voter null",
		"w5 ready drained worker null",
	}
	for _, asked := range []string{"n1", "n2", "w5"} { // the leader answers, whoever is asked
		if diff := cmp.Diff(want, lines(r.host(asked))); diff != "" {
			t.Errorf("through %s (-want +got):\n%s", asked, diff)
		}
	}
	r.mu.Lock()
	r.deposed = true
	r.mu.Unlock()
	for _, line := range lines(r.host("n1")) { // an old leader, before it steps down
		if !strings.HasSuffix(line, " null") {
			t.Errorf("a leader that the voters deny shows measured use: %s", line)
		}
	}
	r.noLeader()
	for i, n := range []string{"n1", "n2", "n3", "n4"} { // nobody measures, nobody suspects
		want[i] = fmt.Sprintf("%s %s active voter null", n, []string{"ready", "ready", "away", "down"}[i])
	}
	if diff := cmp.Diff(want, lines(r.host("n2"))); diff != "" {
		t.Errorf("without a leader (-want +got):\n%s", diff)
	}
}

func TestTaskList(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "w3", "w4")
	r.put(replicas(9))
	r.task("1RUNS", 1, "n1", up)
	r.task("2LOST", 2, "w3", up)
	r.stopTask(r.task("3LOSTSTOPPED", 3, "w3", up))
	r.task("4GONE", 4, "w4", up)
	r.stopTask(r.task("5GONESTOPPED", 5, "w4", up))
	r.task("6PENDING", 6, "", cluster.Observed{})
	stopping := r.task("7STOPPING", 7, "n2", up)
	r.stopTask(stopping)
	ended := r.task("8STOPPED", 8, "n2", up)
	r.stopTask(ended)
	r.observe(r.host("n2"), ended, exited)
	r.task("9COMPLETE", 9, "n2", done)
	r.task("9FAILED", 9, "n2", failed)
	r.condition("w3", cluster.Down)
	r.remove("w4")
	list := func(query string) (out []string) {
		for _, task := range get[[]api.Task](r.host("n2"), "/v1/tasks"+query) {
			out = append(out, fmt.Sprintf("%s %s %s", task.ID, task.State, task.Node))
		}
		return out
	}
	want := []string{"1RUNS running n1", "2LOST lost w3", "4GONE lost ", "6PENDING pending ", "7STOPPING running n2"}
	if diff := cmp.Diff(want, list("")); diff != "" {
		t.Errorf("ps (-want +got):\n%s", diff)
	}
	want = []string{
		"1RUNS running n1", "2LOST lost w3", "3LOSTSTOPPED lost w3", "4GONE lost ", "5GONESTOPPED lost ", "6PENDING pending ",
		"7STOPPING running n2", "8STOPPED stopped n2", "9COMPLETE complete n2", "9FAILED failed n2",
	}
	if diff := cmp.Diff(want, list("?all=1")); diff != "" {
		t.Errorf("ps -a (-want +got):\n%s", diff)
	}
	for query, n := range map[string]int{"?stack=shop": 5, "?stack=other": 0, "?service=shop/web": 5, "?service=shop/db": 0} {
		if got := list(query); len(got) != n {
			t.Errorf("%s: %v", query, got)
		}
	}
}

func TestServiceCounts(t *testing.T) {
	for _, tc := range []struct {
		name                      string
		make                      func(r *ring)
		desired, running, healthy int
	}{
		{"nothing yet", func(*ring) {}, 2, 0, 0},
		{"all well", func(r *ring) { r.task("A", 1, "n1", up); r.task("B", 2, "w2", up) }, 2, 2, 2},
		{"one unhealthy", func(r *ring) { r.task("A", 1, "n1", up); r.task("B", 2, "w2", sick) }, 2, 2, 1},
		{"one in backoff", func(r *ring) { r.task("A", 1, "n1", up); r.task("B", 2, "w2", backoff) }, 2, 1, 1},
		{"one lost", func(r *ring) { r.task("A", 1, "n1", up); r.task("B", 2, "w2", up); r.condition("w2", cluster.Down) }, 2, 1, 1},
		{"one on a node that left", func(r *ring) { r.task("A", 1, "n1", up); r.task("B", 2, "w2", up); r.remove("w2") }, 2, 1, 1},
		{"one away", func(r *ring) { r.task("A", 1, "n1", up); r.task("B", 2, "w2", up); r.condition("w2", cluster.Away) }, 2, 2, 2},
		{"a lost one and its successor count once", func(r *ring) {
			r.task("A", 1, "n1", up)
			r.task("C", 2, "n1", up, replaces(r.task("B", 2, "w2", up)))
			r.condition("w2", cluster.Down)
		}, 2, 2, 2},
		{"old and new of an update count once", func(r *ring) {
			a, b := r.task("A", 1, "n1", up), r.task("B", 2, "w2", up)
			r.put(image("web:2"))
			r.task("C", 1, "n1", up, replaces(a))
			r.task("D", 2, "w2", up, replaces(b))
		}, 2, 2, 2},
		{"stopping", func(r *ring) { r.stopTask(r.task("A", 1, "n1", up)) }, 2, 0, 0},
		{"being removed", func(r *ring) { r.task("A", 1, "n1", up); r.apply(state.RemoveStack{Stack: "shop"}) }, 0, 1, 1},
		{"global", func(r *ring) { r.put(global); r.task("A", 1, "n1", up, pinned); r.task("B", 2, "w2", backoff, pinned) }, 2, 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRing(t, nil, "n1", "w2")
			r.put()
			tc.make(r)
			s := get[[]api.Service](r.host("n1"), "/v1/services")[0]
			if s.Desired != tc.desired || s.Running != tc.running || s.Healthy != tc.healthy {
				t.Errorf("desired %d running %d healthy %d, want %d %d %d", s.Desired, s.Running, s.Healthy, tc.desired, tc.running, tc.healthy)
			}
		})
	}
}

func TestSettled(t *testing.T) {
	both := func(r *ring) (a, b cluster.TaskID) { return r.task("A", 1, "n1", up), r.task("B", 2, "w2", up) }
	jobs := []func(*cluster.ServiceSpec){restart(cluster.RestartNever)}
	for _, tc := range []struct {
		name string
		spec []func(*cluster.ServiceSpec)
		make func(r *ring)
		want bool
	}{
		{"nothing yet", nil, func(*ring) {}, false},
		{"no replicas wanted", []func(*cluster.ServiceSpec){replicas(0)}, func(*ring) {}, true},
		{"one of two", nil, func(r *ring) { r.task("A", 1, "n1", up) }, false},
		{"all", nil, func(r *ring) { both(r) }, true},
		{"one not healthy", nil, func(r *ring) { r.task("A", 1, "n1", up); r.task("B", 2, "w2", sick) }, false},
		{"one in backoff", nil, func(r *ring) { r.task("A", 1, "n1", up); r.task("B", 2, "w2", backoff) }, false},
		{"one pending", nil, func(r *ring) { r.task("A", 1, "n1", up); r.task("B", 2, "", cluster.Observed{}) }, false},
		{"one failed for good", nil, func(r *ring) { r.task("A", 1, "n1", up); r.task("B", 2, "w2", failed) }, false},
		{"one too many", []func(*cluster.ServiceSpec){replicas(1)}, func(r *ring) { both(r) }, false},

		{"updated, none replaced", nil, func(r *ring) { both(r); r.put(image("web:2")) }, false},
		{"updated, the old one stops", nil, func(r *ring) {
			a, b := both(r)
			r.put(image("web:2"))
			r.task("C", 1, "n1", up, replaces(a))
			r.task("D", 2, "w2", up, replaces(b))
			r.stopTask(a)
			r.observe(r.host("n1"), a, exited)
			r.stopTask(b)
		}, false},
		{"updated, all replaced", nil, func(r *ring) {
			a, b := both(r)
			r.put(image("web:2"))
			r.task("C", 1, "n1", up, replaces(a))
			r.task("D", 2, "w2", up, replaces(b))
			r.stopTask(a)
			r.stopTask(b)
			r.observe(r.host("n1"), a, exited)
			r.observe(r.host("w2"), b, exited)
		}, true},
		{"scaled, which makes no generation", nil, func(r *ring) { both(r); r.put(replicas(3)); r.task("C", 3, "n1", up) }, true},

		{"a lost task", nil, func(r *ring) { both(r); r.condition("w2", cluster.Down) }, false},
		{"a lost task that was replaced", nil, func(r *ring) {
			_, b := both(r)
			r.condition("w2", cluster.Down)
			r.task("C", 2, "n1", up, replaces(b))
			r.stopTask(b)
		}, true},
		{"a task on a node that left", nil, func(r *ring) { both(r); r.remove("w2") }, false},
		{"a task on a node that left, replaced", nil, func(r *ring) {
			_, b := both(r)
			r.remove("w2")
			r.task("C", 2, "n1", up, replaces(b))
			r.stopTask(b)
		}, true},
		{"an agent that is away", nil, func(r *ring) { both(r); r.condition("w2", cluster.Away) }, true},

		{"jobs that completed", jobs, func(r *ring) { r.task("A", 1, "n1", done); r.task("B", 2, "w2", done) }, true},
		{"one job still runs", jobs, func(r *ring) { r.task("A", 1, "n1", done); r.task("B", 2, "w2", up) }, true},
		{"one job failed", jobs, func(r *ring) { r.task("A", 1, "n1", done); r.task("B", 2, "w2", failed) }, false},
		{"jobs of an earlier generation", jobs, func(r *ring) {
			r.task("A", 1, "n1", done)
			r.task("B", 2, "w2", done)
			r.put(image("web:2"), restart(cluster.RestartNever))
		}, false},
		{"a slot whose completed task was stopped counts once", jobs, func(r *ring) {
			a := r.task("A", 1, "n1", done)
			r.stopTask(a)
			r.task("B", 1, "n1", up)
		}, false},

		{"a completed task that was stopped does not count", jobs, func(r *ring) {
			r.task("A", 1, "n1", done)
			r.stopTask(r.task("B", 2, "w2", done))
		}, false},

		{"global, everywhere", []func(*cluster.ServiceSpec){global}, func(r *ring) { r.task("A", 1, "n1", up, pinned); r.task("B", 2, "w2", up, pinned) }, true},
		{"global, not on one node yet", []func(*cluster.ServiceSpec){global}, func(r *ring) { r.task("A", 1, "n1", up, pinned) }, false},
		{"global, the other node takes none", []func(*cluster.ServiceSpec){global}, func(r *ring) {
			r.task("A", 1, "n1", up, pinned)
			r.apply(state.SetAvailability{Node: r.host("w2").id, Availability: cluster.Drained})
		}, true},
		{"global, the other node does not match", []func(*cluster.ServiceSpec){global, func(s *cluster.ServiceSpec) {
			s.Template.Constraints = []string{"node.hostname==n1"}
		}}, func(r *ring) { r.task("A", 1, "n1", up, pinned) }, true},
		{"global, the other node is down", []func(*cluster.ServiceSpec){global}, func(r *ring) {
			r.task("A", 1, "n1", up, pinned)
			r.task("B", 2, "w2", up, pinned)
			r.condition("w2", cluster.Down)
		}, true},
		{"global, updated while a node is down", []func(*cluster.ServiceSpec){global}, func(r *ring) {
			a := r.task("A", 1, "n1", up, pinned)
			r.task("B", 2, "w2", up, pinned)
			r.condition("w2", cluster.Down)
			r.put(global, image("web:2"))
			r.task("C", 1, "n1", up, pinned, replaces(a))
			r.stopTask(a)
			r.observe(r.host("n1"), a, exited)
		}, true},

		{"being removed", nil, func(r *ring) { r.apply(state.RemoveStack{Stack: "shop"}) }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRing(t, nil, "n1", "w2")
			r.put(tc.spec...)
			tc.make(r)
			if got := get[api.StackStatus](r.host("n1"), "/v1/stacks/shop"); got.Settled != tc.want {
				t.Errorf("settled %v, want %v: %+v", got.Settled, tc.want, got.Tasks)
			}
		})
	}
}

func TestFindNodeAndTask(t *testing.T) {
	st := state.New()
	for i, b := range []state.Body{
		state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1}, Node: cluster.Node{ID: "01AA", Name: "web"}},
		state.PutToken{Token: cluster.Token{ID: "t", SecretHash: "h", Uses: 9, Expires: t0.AddDate(1, 0, 0)}},
		state.JoinNode{Token: "t", Node: cluster.Node{ID: "01AB", Name: "db"}},
		state.Reconcile{Conditions: []state.NodeCondition{{Node: "01AB", Condition: cluster.Down}}},
		state.JoinNode{Token: "t", Node: cluster.Node{ID: "01B", Name: "db"}},
		state.JoinNode{Token: "t", Node: cluster.Node{ID: "01C", Name: "01aa"}},
		state.PutStack{Stack: "s", Services: []state.NamedSpec{{Name: "w", Spec: cluster.ServiceSpec{Mode: cluster.Replicated}}}},
		state.Reconcile{Create: []cluster.Task{
			{ID: "02AA", Service: "s/w", Slot: 1, Generation: 1}, {ID: "02AB", Service: "s/w", Slot: 2, Generation: 1}, {ID: "02A", Service: "s/w", Slot: 3, Generation: 1},
		}},
	} {
		if r := st.Apply(uint64(i+1), state.Command{At: t0, Body: b}); r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	check := func(kind, arg, found string, err error, want string) {
		t.Helper()
		if err != nil {
			found = string(asError(err).Code)
			if asError(err).Hint == "" {
				t.Errorf("%s %q: no hint in %v", kind, arg, err)
			}
		}
		if found != want {
			t.Errorf("%s %q: %s, want %s", kind, arg, found, want)
		}
	}
	for arg, want := range map[string]string{
		"01AA": "01AA", "01aa": "01AA", // an ID before a name
		"web": "01AA", "01b": "01B", "01c": "01C",
		"01": "conflict", "01A": "conflict", "db": "conflict", // the dead one has its name still
		"": "not_found", "nothing": "not_found", "WEB": "not_found",
	} {
		n, err := findNode(st.View(), arg)
		found := ""
		if err == nil {
			found = string(n.ID)
		}
		check("node", arg, found, err, want)
	}
	for arg, want := range map[string]string{"02AA": "02AA", "02ab": "02AB", "02A": "02A", "02": "conflict", "": "not_found", "03": "not_found"} {
		task, err := findTask(st.View(), arg)
		found := ""
		if err == nil {
			found = string(task.ID)
		}
		check("task", arg, found, err, want)
	}
}

func TestUnknownObjectsAreNotFound(t *testing.T) {
	r := newRing(t, nil, "n1")
	for _, path := range []string{"/v1/nodes/x", "/v1/stacks/x", "/v1/services/x/y", "/v1/tasks/x"} {
		err := r.host("n1").try(http.MethodGet, path, nil, nil)
		wantCode(t, path, err, api.CodeNotFound)
		if err != nil && err.Hint == "" {
			t.Errorf("%s: no hint in %v", path, err)
		}
	}
}
