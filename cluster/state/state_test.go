package state

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// world drives a State through the log encoding, as raft does.
type world struct {
	*State
	t     testing.TB
	index uint64
	now   time.Time
	log   [][]byte
}

func newWorld(t testing.TB, nodes ...string) *world {
	w := &world{State: New(), t: t, now: t0}
	for i, name := range nodes {
		n := cluster.Node{
			ID: cluster.NodeID(name), Name: name, Address: fmt.Sprintf("10.0.0.%d", i+1),
			Capacity: cluster.Resources{MilliCPU: 4000, Memory: 4 << 30}, PublicKey: "pk-" + name,
		}
		if i == 0 {
			w.must(Init{Identity: cluster.Identity{ID: "C", Epoch: 1, CA: []byte("pem")}, Node: n})
			w.must(PutToken{cluster.Token{ID: "tok", SecretHash: "h", Uses: 100, Expires: t0.Add(time.Hour)}})
			continue
		}
		w.must(JoinNode{Token: "tok", Node: n})
	}
	return w
}

func (w *world) do(request string, b Body) Result {
	w.t.Helper()
	raw, err := Encode(Command{Request: request, At: w.now, Body: b})
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := Decode(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	w.log = append(w.log, raw)
	w.index++
	w.now = w.now.Add(time.Second)
	return w.Apply(w.index, c)
}

func (w *world) must(b Body) Result {
	w.t.Helper()
	r := w.do("", b)
	if r.Err != nil {
		w.t.Fatalf("%T: %v", b, r.Err)
	}
	return r
}

func (w *world) refused(b Body, want Code) {
	w.t.Helper()
	before := w.View().Hash()
	r := w.do("", b)
	if r.Err == nil || r.Err.Code != want {
		w.t.Fatalf("%T: error %v, want code %s", b, r.Err, want)
	}
	if w.View().Hash() != before {
		w.t.Fatalf("%T was refused and changed the state", b)
	}
}

func spec(image string, replicas int) cluster.ServiceSpec {
	return cluster.ServiceSpec{Mode: cluster.Replicated, Replicas: replicas, Template: cluster.Template{
		Container: cluster.ContainerSpec{Image: cluster.Image{Ref: image}},
	}}
}

func task(id string, slot int, node string, mem int64) cluster.Task {
	return cluster.Task{
		ID: cluster.TaskID(id), Service: "s/web", Slot: slot, Generation: 1, Node: cluster.NodeID(node),
		Resources: cluster.Resources{Memory: mem},
	}
}

func TestBeforeInitNothingWorks(t *testing.T) {
	w := newWorld(t)
	w.refused(PutStack{Stack: "s"}, CodeConflict)
}

func TestInitTwice(t *testing.T) {
	w := newWorld(t, "n1")
	w.refused(Init{Identity: cluster.Identity{ID: "D"}}, CodeConflict)
}

func TestTokenIsCountedAndExpires(t *testing.T) {
	w := newWorld(t, "n1")
	w.must(PutToken{cluster.Token{ID: "two", SecretHash: "h", Uses: 2, Expires: w.now.Add(time.Minute)}})
	w.must(JoinNode{Token: "two", Node: cluster.Node{ID: "a", Name: "a"}})
	w.must(JoinNode{Token: "two", Node: cluster.Node{ID: "b", Name: "b"}})
	w.refused(JoinNode{Token: "two", Node: cluster.Node{ID: "c", Name: "c"}}, CodeNotFound)

	w.must(PutToken{cluster.Token{ID: "old", SecretHash: "h", Uses: 2, Expires: w.now.Add(time.Minute)}})
	w.now = w.now.Add(time.Minute)
	w.refused(JoinNode{Token: "old", Node: cluster.Node{ID: "c", Name: "c"}}, CodeExpired)
	w.refused(JoinNode{Token: "none", Node: cluster.Node{ID: "c", Name: "c"}}, CodeNotFound)
	w.refused(JoinNode{Token: "tok", Node: cluster.Node{ID: "a", Name: "x"}}, CodeConflict)
	w.refused(JoinNode{Token: "tok", Node: cluster.Node{ID: "x", Name: "a"}}, CodeConflict)
}

func TestDeployMakesGenerationsOnlyForTemplates(t *testing.T) {
	w := newWorld(t, "n1")
	put := func(s ...NamedSpec) []ServiceChange { return w.must(PutStack{Stack: "s", Services: s}).Services }
	got := [][]ServiceChange{
		put(NamedSpec{"web", spec("a", 1)}, NamedSpec{"db", spec("b", 1)}),
		put(NamedSpec{"web", spec("a", 3)}, NamedSpec{"db", spec("b", 1)}),
		put(NamedSpec{"web", spec("a2", 3)}),
	}
	want := [][]ServiceChange{
		{{"s/web", "created", 1}, {"s/db", "created", 1}},
		{{"s/web", "scaled", 1}, {"s/db", "unchanged", 1}},
		{{"s/web", "updated", 2}, {"s/db", "removed", 1}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	s, _ := w.View().Service("s/web")
	if old, ok := s.Template(1); !ok || old.Container.Image.Ref != "a" {
		t.Fatalf("generation 1 is not kept: %+v", s.History)
	}
}

func TestGenerationsAreBounded(t *testing.T) {
	w := newWorld(t, "n1")
	for i := range 30 {
		w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec(fmt.Sprint(i), 1)}}})
	}
	s, _ := w.View().Service("s/web")
	if len(s.History) != KeepGenerations-1 || s.Generation != 30 {
		t.Fatalf("generation %d with %d earlier ones kept", s.Generation, len(s.History))
	}
}

func TestGenerationOfATaskOnALostNodeIsKept(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	put := func(i int) { w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec(fmt.Sprint(i), 1)}}}) }
	put(0)
	w.must(Reconcile{Create: []cluster.Task{task("1", 1, "n2", 0)}})
	w.must(Observe{Node: "n2", Tasks: []TaskObserved{{"1", cluster.Observed{Phase: cluster.PhaseRunning}}}})
	w.must(Reconcile{Conditions: []NodeCondition{{"n2", cluster.Down, "silent"}}, Stop: []StopTask{{Task: "1", Reason: "scaled"}}})
	for i := range 30 {
		put(i + 1)
	}
	s, _ := w.View().Service("s/web")
	if _, ok := s.Template(1); !ok {
		t.Fatal("the template of a task that n2 still has to stop is gone")
	}
	w.must(Reconcile{Conditions: []NodeCondition{{"n2", cluster.Ready, ""}}})
	w.must(Observe{Node: "n2", Tasks: []TaskObserved{{"1", cluster.Observed{Phase: cluster.PhaseExited}}}})
	put(99)
	s, _ = w.View().Service("s/web")
	if _, ok := s.Template(1); ok || len(s.History) != KeepGenerations-1 {
		t.Fatalf("%d earlier generations are kept, the first among them: %v", len(s.History), ok)
	}
}

func TestPublishedPortBelongsToOneStack(t *testing.T) {
	w := newWorld(t, "n1")
	s := spec("a", 1)
	s.Template.Ports = []cluster.Port{{Target: 80, Published: 8080, Protocol: "tcp", Mode: cluster.Ingress}}
	w.must(PutStack{Stack: "one", Services: []NamedSpec{{"web", s}}})
	w.must(PutStack{Stack: "one", Services: []NamedSpec{{"web", s}}})
	w.refused(PutStack{Stack: "two", Services: []NamedSpec{{"web", s}}}, CodeConflict)
}

func TestReconcileChecksCapacityAgain(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec("a", 4)}}})
	r := w.must(Reconcile{Create: []cluster.Task{
		task("1", 1, "n1", 3<<30), task("2", 2, "n1", 3<<30), task("3", 3, "n2", 4<<30),
	}})
	if len(r.Refused) != 1 || r.Refused[0].Task != "2" || r.Refused[0].Reason != "n1: 2 GiB short" {
		t.Fatalf("refused %+v", r.Refused)
	}
	two, _ := w.View().Task("2")
	if two.Node != "" || cluster.TaskState(two, "") != cluster.StatePending {
		t.Fatalf("the refused task is %+v", two)
	}
	if got := w.View().Allocated("n1"); got != (Allocation{cluster.Resources{Memory: 3 << 30}, 1}) {
		t.Fatalf("n1 holds %+v", got)
	}
	// Room appears when a task has ended, not when it is told to.
	w.must(Reconcile{Stop: []StopTask{{Task: "1", Reason: "scaled down"}}})
	if r := w.must(Reconcile{Assign: []Assign{{Task: "2", Generation: 1, Node: "n1"}}}); len(r.Refused) != 1 {
		t.Fatal("a stopping task gave up its room")
	}
	w.must(Observe{Node: "n1", Tasks: []TaskObserved{{"1", cluster.Observed{Phase: cluster.PhaseExited}}}})
	if r := w.must(Reconcile{Assign: []Assign{{Task: "2", Generation: 1, Node: "n1"}}}); len(r.Refused) != 0 {
		t.Fatalf("refused %+v", r.Refused)
	}
}

func TestReconcileRefusesTheStale(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec("a", 4)}}})
	w.must(Reconcile{Create: []cluster.Task{task("1", 1, "n1", 0), task("2", 2, "", 0)}})
	w.must(SetAvailability{"n2", cluster.Cordoned})
	w.must(PutStack{Stack: "gone", Services: []NamedSpec{{"web", spec("a", 4)}}})
	w.must(RemoveStack{Stack: "gone"})
	gone := task("6", 1, "", 0)
	gone.Service = "gone/web"
	future := task("7", 7, "", 0)
	future.Generation = 9
	r := w.must(Reconcile{
		Create: []cluster.Task{task("4", 1, "n1", 0), gone, future},
		Assign: []Assign{{Task: "1", Generation: 1, Node: "n2"}, {Task: "2", Generation: 2, Node: "n1"}, {Task: "2", Generation: 1, Node: "n2"}, {Task: "9", Generation: 1, Node: "n1"}},
	})
	var got []cluster.TaskID
	for _, f := range r.Refused {
		got = append(got, f.Task)
	}
	if d := cmp.Diff([]cluster.TaskID{"4", "6", "7", "1", "2", "2", "9"}, got); d != "" {
		t.Fatal(d, r.Refused)
	}
}

func TestHostPortIsHeldOnce(t *testing.T) {
	w := newWorld(t, "n1")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec("a", 4)}}})
	a, b := task("1", 1, "n1", 0), task("2", 2, "n1", 0)
	a.HostPorts = []cluster.Port{{Published: 53, Protocol: "udp"}}
	b.HostPorts = []cluster.Port{{Published: 53, Protocol: "udp", HostIP: "10.0.0.1"}}
	if r := w.must(Reconcile{Create: []cluster.Task{a, b}}); len(r.Refused) != 1 || r.Refused[0].Task != "2" {
		t.Fatalf("refused %+v", r.Refused)
	}
}

func TestEndedTasksStayEndedAndAreBounded(t *testing.T) {
	w := newWorld(t, "n1")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec("a", 1)}}})
	for i := range 12 {
		id := fmt.Sprintf("%02d", i)
		w.must(Reconcile{Create: []cluster.Task{task(id, 1, "n1", 1)}})
		w.must(Reconcile{Stop: []StopTask{{Task: cluster.TaskID(id), Reason: "test"}}})
		w.must(Observe{Node: "n1", Tasks: []TaskObserved{{cluster.TaskID(id), cluster.Observed{Phase: cluster.PhaseExited, ExitCode: 137}}}})
		w.must(Observe{Node: "n1", Tasks: []TaskObserved{{cluster.TaskID(id), cluster.Observed{Phase: cluster.PhaseRunning}}}})
	}
	n := 0
	for tk := range w.View().TasksOf("s/web") {
		n++
		if cluster.TaskState(tk, cluster.Ready) != cluster.StateStopped {
			t.Errorf("%s moved back to %s", tk.ID, cluster.TaskState(tk, cluster.Ready))
		}
	}
	if n != KeepEndedTasks {
		t.Errorf("%d ended tasks kept", n)
	}
	if a := w.View().Allocated("n1"); a != (Allocation{}) {
		t.Errorf("n1 still holds %+v", a)
	}
}

func TestObservationOfAnotherNodesTask(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec("a", 1)}}})
	w.must(Reconcile{Create: []cluster.Task{task("1", 1, "n1", 0)}})
	w.must(Observe{Node: "n2", Tasks: []TaskObserved{{"1", cluster.Observed{Phase: cluster.PhaseRunning}}}})
	if tk, _ := w.View().Task("1"); tk.Observed.Phase != cluster.PhaseNone {
		t.Fatal("n2 spoke for n1's task")
	}
}

func TestForgetWaitsForTheLastTask(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec("a", 2)}}})
	w.must(Reconcile{Create: []cluster.Task{task("1", 1, "n1", 0), task("2", 2, "n2", 0)}})
	w.must(RemoveStack{Stack: "s"})
	w.must(Reconcile{Stop: []StopTask{{Task: "1"}, {Task: "2"}}, Forget: []cluster.ServiceID{"s/web"}})
	w.must(Observe{Node: "n1", Tasks: []TaskObserved{{"1", cluster.Observed{Phase: cluster.PhaseExited}}}})
	w.must(Reconcile{Forget: []cluster.ServiceID{"s/web"}})
	if _, ok := w.View().Service("s/web"); !ok {
		t.Fatal("forgotten while a task may run")
	}
	w.must(Reconcile{Conditions: []NodeCondition{{"n2", cluster.Down, "silent"}}, Forget: []cluster.ServiceID{"s/web"}})
	if _, ok := w.View().Service("s/web"); ok || w.View().TaskCount() != 0 {
		t.Fatal("not forgotten although its last task is on a node that is down")
	}
}

func TestRequestIsAppliedOnce(t *testing.T) {
	w := newWorld(t, "n1")
	id := ulid.MustNew(ulid.Timestamp(w.now), bytes.NewReader(make([]byte, 16))).String()
	put := PutStack{Stack: "s", Services: []NamedSpec{{"web", spec("a", 1)}}}
	first := w.do(id, put)
	w.must(RemoveStack{Stack: "s"})
	again := w.do(id, put)
	if d := cmp.Diff(first.Services, again.Services); d != "" {
		t.Fatal(d)
	}
	if s, _ := w.View().Service("s/web"); !s.Removing {
		t.Fatal("the request was applied twice")
	}
	w.now = w.now.Add(KeepRequests + time.Minute)
	w.must(RemoveToken{"tok"}) // moves command time
	if r := w.do(id, put); r.Err == nil || r.Err.Code != CodeExpired {
		t.Fatalf("an old request gave %+v", r)
	}
	if r := w.do("x", put); r.Err == nil || r.Err.Code != CodeInvalid {
		t.Fatalf("a malformed request ID gave %+v", r)
	}
}

func TestCommandTimeNeverRunsBackwards(t *testing.T) {
	w := newWorld(t, "n1")
	before := w.View().Now()
	w.now = w.now.Add(-time.Hour) // a new leader, whose clock is behind
	w.must(RemoveToken{"tok"})
	if now := w.View().Now(); now.Before(before) {
		t.Fatalf("command time went back from %v to %v", before, now)
	}
}

func TestEventsAreBoundedAndOrdered(t *testing.T) {
	w := newWorld(t, "n1")
	for range KeepEvents {
		w.must(SetAvailability{"n1", cluster.Cordoned})
		w.must(SetAvailability{"n1", cluster.Active})
	}
	last, n := uint64(0), 0
	for e := range w.View().Events(0) {
		if e.Index < last {
			t.Fatalf("event %d after %d", e.Index, last)
		}
		last, n = e.Index, n+1
	}
	if n != KeepEvents {
		t.Fatalf("%d events kept", n)
	}
	if got := w.View().LastEvents(2, nil); len(got) != 2 || got[1].Index != last {
		t.Fatalf("last events %+v", got)
	}
	cordons := func(e *Event) bool { return e.Action == string(cluster.Cordoned) }
	if got := w.View().LastEvents(3, cordons); len(got) != 3 || !cordons(got[0]) || got[2].Index != last-1 {
		t.Fatalf("last cordons %+v", got)
	}
}

func TestSnapshotRefusesDamage(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", spec("a", 2)}}})
	w.must(Reconcile{Create: []cluster.Task{task("1", 1, "n1", 7)}})
	var buf bytes.Buffer
	if err := w.View().WriteSnapshot(&buf); err != nil {
		t.Fatal(err)
	}
	good := buf.Bytes()
	st, err := ReadSnapshot(bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	if st.View().Allocated("n1") != w.View().Allocated("n1") || st.View().Index() != w.View().Index() {
		t.Fatal("derived tables differ after restore")
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		if _, err := ReadSnapshot(bytes.NewReader(bad)); err == nil {
			t.Fatalf("byte %d altered and not noticed", i)
		}
		if _, err := ReadSnapshot(bytes.NewReader(good[:i])); err == nil {
			t.Fatalf("cut at %d and not noticed", i)
		}
	}
}

// A replay of the log, and a restore from a snapshot at any point followed by
// the rest of the log, give the same state.
func TestReplayAndRestoreAgree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, "n1", "n2", "n3")
		steps := rapid.IntRange(1, 40).Draw(rt, "steps")
		cut := rapid.IntRange(0, steps).Draw(rt, "cut")
		var snap bytes.Buffer
		var at int
		for i := range steps {
			if i == cut {
				if err := w.View().WriteSnapshot(&snap); err != nil {
					rt.Fatal(err)
				}
				at = len(w.log)
			}
			w.do("", randomBody(rt, i))
		}
		again := New()
		for i, raw := range w.log {
			c, err := Decode(raw)
			if err != nil {
				rt.Fatal(err)
			}
			again.Apply(uint64(i+1), c)
		}
		if again.View().Hash() != w.View().Hash() {
			rt.Fatal("replay differs")
		}
		if snap.Len() == 0 {
			return
		}
		restored, err := ReadSnapshot(&snap)
		if err != nil {
			rt.Fatal(err)
		}
		for i, raw := range w.log[at:] {
			c, _ := Decode(raw)
			restored.Apply(uint64(at+i+1), c)
		}
		if restored.View().Hash() != w.View().Hash() {
			rt.Fatal("restore and the rest of the log differ from the whole log")
		}
		for _, n := range []cluster.NodeID{"n1", "n2", "n3"} {
			var held Allocation
			for tk := range w.View().TasksOn(n) {
				if tk.Holds() {
					held.Resources = held.Resources.Add(tk.Resources)
					held.Tasks++
				}
			}
			if got := restored.View().Allocated(n); got != held {
				rt.Fatalf("%s: allocated %+v, tasks hold %+v", n, got, held)
			}
		}
		if d := cmp.Diff(addressesOf(rt, w.View()), addressesOf(rt, restored.View())); d != "" {
			rt.Fatalf("addresses held (-before +restored):\n%s", d)
		}
	})
}

func randomBody(rt *rapid.T, i int) Body {
	node := cluster.NodeID(rapid.SampledFrom([]string{"n1", "n2", "n3"}).Draw(rt, "node"))
	id := func() string { return fmt.Sprintf("t%02d", rapid.IntRange(0, 20).Draw(rt, "task")) }
	switch rapid.IntRange(0, 6).Draw(rt, "kind") {
	case 0:
		return randomStack(rt, i)
	case 1, 2:
		return Reconcile{Create: []cluster.Task{task(id(), rapid.IntRange(1, 3).Draw(rt, "slot"), string(node), 1<<30)}}
	case 3:
		return Reconcile{Stop: []StopTask{{Task: cluster.TaskID(id()), Reason: "x"}}, Forget: []cluster.ServiceID{"s/web"}}
	case 4:
		phase := rapid.SampledFrom([]cluster.Phase{cluster.PhaseRunning, cluster.PhaseExited, cluster.PhaseBackoff}).Draw(rt, "phase")
		return Observe{Node: node, Repeats: i%2 == 0, Tasks: []TaskObserved{{cluster.TaskID(id()), cluster.Observed{Phase: phase, Restarts: i % 3, Final: phase == cluster.PhaseExited}}}}
	case 5:
		cond := rapid.SampledFrom([]cluster.Condition{cluster.Ready, cluster.Down, cluster.Away}).Draw(rt, "cond")
		return Reconcile{Conditions: []NodeCondition{{node, cond, "r"}}}
	default:
		return RemoveStack{Stack: "s"}
	}
}

func FuzzDecode(f *testing.F) {
	good, _ := Encode(Command{At: t0, Body: Scale{"s/web", 3}})
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(b)
		if err == nil {
			New().Apply(1, c)
		}
	})
}

func FuzzReadSnapshot(f *testing.F) {
	var buf bytes.Buffer
	_ = newWorld(f, "n1").View().WriteSnapshot(&buf)
	f.Add(buf.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = ReadSnapshot(bytes.NewReader(b))
	})
}
