package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const digest = "web@sha256:1"

// host is a machine in virtual time: a fake engine and a worker that can be
// restarted on it.
type host struct {
	t      *testing.T
	engine *fake.Driver
	dir    string
	limits Limits
	fetch  func(context.Context, string) error

	worker *Worker
	stop   func()

	mu      sync.Mutex
	refuse  error // what reports are answered with
	reports [][]Observation
	latest  map[cluster.TaskID]cluster.Observed
	index   uint64
}

// inBubble runs f on a host in a synctest bubble, with the image present and
// containers that behave as told.
func inBubble(t *testing.T, behave func(runtime.Create) fake.Behaviour, f func(t *testing.T, h *host)) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{
			t: t, engine: fake.New(fake.Config{Behave: behave}), dir: t.TempDir(),
			latest: map[cluster.TaskID]cluster.Observed{},
			fetch:  func(context.Context, string) error { return errors.New("no registry") },
		}
		h.engine.AddImage(digest)
		defer func() {
			h.stop()
			_ = h.engine.Close()
			synctest.Wait()
		}()
		h.boot()
		f(t, h)
	})
}

func (h *host) Fetch(ctx context.Context, digest string) error { return h.fetch(ctx, digest) }

func (h *host) report(_ context.Context, batch []Observation) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse != nil {
		return h.refuse
	}
	h.reports = append(h.reports, batch)
	for _, o := range batch {
		h.latest[o.Task] = o.Observed
	}
	return nil
}

// boot starts a worker, the first or the next.
func (h *host) boot() {
	w, err := New(Config{
		Engine: h.engine, Images: h, Host: Host{ClusterID: "c1", NodeID: "n1", NodeName: "alpha"},
		Address: "10.0.0.1", DataDir: h.dir, Report: h.report, Limits: h.limits, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	h.worker, h.stop = w, func() { cancel(); <-done }
	synctest.Wait()
}

// assign sends the next set.
func (h *host) assign(all ...Assignment) {
	h.index++
	h.worker.Assign(Set{Epoch: 1, Index: h.index, Assignments: all})
	synctest.Wait()
}

// pass lets time pass.
func (h *host) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (h *host) observed(id cluster.TaskID) cluster.Observed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.latest[id]
}

// expect fails the test unless the last report of the task is of that phase.
func (h *host) expect(id cluster.TaskID, p cluster.Phase) cluster.Observed {
	h.t.Helper()
	o := h.observed(id)
	if o.Phase != p {
		h.t.Fatalf("%s: task %s was reported %+v, want phase %q; actions %v", time.Now().Format("05.000"), id, o, p, h.worker.Snapshot().Actions)
	}
	return o
}

// box returns the one container of the task.
func (h *host) box(id cluster.TaskID) runtime.Container {
	h.t.Helper()
	var found []runtime.Container
	for _, c := range h.engine.Snapshot() {
		if c.Labels[runtime.LabelTask] == string(id) {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		h.t.Fatalf("task %s has %d containers, want 1", id, len(found))
	}
	return found[0]
}

func (h *host) setRefusal(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse = err
}

func TestStartTakesThreeCalls(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		lists := h.engine.Calls(fake.OpList)
		h.assign(assign("t1", func(a *Assignment) {
			a.Template.Ports = []cluster.Port{{Target: 80, Published: 80, Protocol: "tcp", Mode: cluster.Ingress}}
		}))
		o := h.expect("t1", cluster.PhaseRunning)
		if len(o.Ports) != 1 || o.Ports[0].Host == 0 || o.Address != "10.0.0.1" || o.Restarts != 0 {
			t.Errorf("observed %+v", o)
		}
		for op, want := range map[fake.Op]int{fake.OpCreate: 1, fake.OpStart: 1, fake.OpInspect: 1, fake.OpList: lists} {
			if got := h.engine.Calls(op); got != want {
				t.Errorf("%d calls of %s, want %d", got, op, want)
			}
		}
	})
}

func TestTwoStartsAtATime(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.engine.Fail(fake.OpStart, fake.Fault{Delay: time.Second})
		var all []Assignment
		for i := range 6 {
			all = append(all, assign(fmt.Sprintf("t%d", i)))
		}
		h.assign(all...)
		for i := range 3 {
			if got := h.engine.Calls(fake.OpStart); got != 2*(i+1) {
				t.Errorf("after %ds: %d starts, want %d", i, got, 2*(i+1))
			}
			h.pass(time.Second)
		}
		h.expect("t5", cluster.PhaseRunning)
	})
}

func TestHungStartsHoldNobodyUp(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.engine.Fail(fake.OpStart, fake.Fault{Hang: true, Times: 2})
		h.assign(assign("t1"), assign("t2"), assign("t3"))
		h.pass(DefaultLimits.Slow)
		h.expect("t3", cluster.PhaseRunning)
		h.pass(5 * time.Minute)
		h.expect("t1", cluster.PhaseRunning)
		h.expect("t2", cluster.PhaseRunning)
	})
}

func TestBackoffGrowsAndIsForgiven(t *testing.T) {
	lives := []time.Duration{1, 1, 1, 1, 70, 1, 1} // seconds of the runs; then for ever
	var starts []time.Time
	behave := func(runtime.Create) fake.Behaviour {
		starts = append(starts, time.Now())
		if len(starts) > len(lives) {
			return fake.Behaviour{}
		}
		return fake.Behaviour{ExitAfter: lives[len(starts)-1] * time.Second, ExitCode: 3}
	}
	inBubble(t, behave, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		id := h.box("t1").ID
		h.pass(1500 * time.Millisecond)
		if o := h.expect("t1", cluster.PhaseBackoff); o.ExitCode != 3 || o.Error != "exited with code 3" || o.Finished.IsZero() {
			t.Errorf("in back-off: %+v", o)
		}
		h.pass(10 * time.Minute)
		var gaps []time.Duration
		for i := 1; i < len(starts); i++ {
			gaps = append(gaps, starts[i].Sub(starts[i-1])/time.Second-lives[i-1])
		}
		if want := []time.Duration{1, 2, 4, 8, 1, 2, 4}; !slices.Equal(gaps, want) {
			t.Errorf("pauses between runs: %v seconds, want %v", gaps, want)
		}
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 7 || o.Error != "" {
			t.Errorf("at last: %+v, want 7 restarts and no error", o)
		}
		if h.box("t1").ID != id {
			t.Error("the container was made anew, want it restarted in place")
		}
	})
}

func TestGivesUp(t *testing.T) {
	dies := func(runtime.Create) fake.Behaviour { return fake.Behaviour{ExitAfter: time.Second, ExitCode: 4} }
	inBubble(t, dies, func(t *testing.T, h *host) {
		h.assign(assign("t1", restart(cluster.RestartPolicy{MaxAttempts: 2})))
		h.pass(time.Hour)
		o := h.expect("t1", cluster.PhaseExited)
		if !o.Final || o.ExitCode != 4 || o.Restarts != 2 || o.Error != "gave up after 2 restarts: exited with code 4" {
			t.Errorf("observed %+v", o)
		}
		if got := h.engine.Calls(fake.OpStart); got != 3 {
			t.Errorf("%d starts, want 3", got)
		}
	})
}

func TestAdoptionAfterRestart(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"), assign("t2", stopped))
		h.pass(time.Minute)
		before := h.expect("t1", cluster.PhaseRunning)
		h.stop()
		if c := h.box("t1"); c.Status != runtime.StatusRunning {
			t.Fatalf("the agent's end left the container %s", c.Status)
		}
		h.pass(time.Minute)
		h.latest = map[cluster.TaskID]cluster.Observed{}
		h.boot() // no set comes: it runs what it finds on disk
		h.pass(time.Minute)
		if diff := cmp.Diff(before, h.expect("t1", cluster.PhaseRunning)); diff != "" {
			t.Errorf("before the agent's restart, after it: %s", diff)
		}
		if creates, starts := h.engine.Calls(fake.OpCreate), h.engine.Calls(fake.OpStart); creates != 1 || starts != 1 {
			t.Errorf("%d creates and %d starts, want one each", creates, starts)
		}
		if s := h.worker.Snapshot(); s.Epoch != 1 || s.Index != 1 {
			t.Errorf("set (%d, %d) was loaded, want (1, 1)", s.Epoch, s.Index)
		}
	})
}

func TestReboot(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		id := h.box("t1").ID
		h.stop()
		h.engine.Reboot()
		h.pass(time.Minute)
		h.boot()
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 1 || o.ContainerID != id {
			t.Errorf("after the reboot: %+v, want one restart of %s", o, id)
		}
	})
}

func TestLostEventsAreMadeUpFor(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		h.engine.LoseEvents(true)
		h.engine.Kill(h.box("t1").ID, 9)
		h.pass(resyncEvery)
		if o := h.observed("t1"); o.Restarts != 1 {
			t.Errorf("after a resync: %+v, want it restarted", o)
		}
	})
}

func TestBrokenEventsAreFollowedAgain(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		h.engine.BreakEvents()
		synctest.Wait()
		h.engine.Kill(h.box("t1").ID, 9)
		h.pass(followAgain)
		if o := h.observed("t1"); o.Restarts != 1 {
			t.Errorf("what happened before events are followed again: %+v, want it seen", o)
		}
		h.pass(time.Minute)
		h.engine.Kill(h.box("t1").ID, 10)
		synctest.Wait()
		if o := h.expect("t1", cluster.PhaseBackoff); o.ExitCode != 10 {
			t.Errorf("what happened after it: %+v, want it seen at once", o)
		}
	})
}

func TestHungEngine(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		h.engine.Fail(fake.OpList, fake.Fault{Hang: true})
		h.pass(resyncEvery + lookDeadline)
		if s := h.worker.Snapshot(); s.EngineUp || s.EngineError == "" {
			t.Errorf("snapshot %+v, want the engine down", s)
		}
		reports := len(h.reports)
		h.assign(assign("t2")) // which would make t1 a stray
		h.pass(5 * time.Minute)
		if got := h.engine.Calls(fake.OpCreate); got != 1 {
			t.Errorf("%d creates on a hung engine, want none after the first", got-1)
		}
		if c := h.box("t1"); c.Status != runtime.StatusRunning {
			t.Errorf("the container is %s", c.Status)
		}
		if len(h.reports) != reports {
			t.Errorf("reported from a hung engine: %v", h.reports[reports:])
		}
		h.engine.Heal(fake.OpList)
		h.pass(lookDeadline + resyncDown)
		h.expect("t2", cluster.PhaseRunning)
	})
}

func TestDownEngine(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		h.engine.SetDown(true)
		h.pass(time.Minute)
		h.expect("t1", cluster.PhaseRunning)
		h.engine.SetDown(false)
		h.pass(resyncDown)
		if s := h.worker.Snapshot(); !s.EngineUp || s.EngineError != "" {
			t.Errorf("snapshot %+v, want the engine up", s)
		}
		if h.expect("t1", cluster.PhaseRunning).Restarts != 0 {
			t.Error("a restart of the engine alone restarted a container")
		}
	})
}

func TestSlowPullHoldsNobodyUp(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		fetches := 0
		h.fetch = func(ctx context.Context, d string) error {
			fetches++
			time.Sleep(30 * time.Second)
			h.engine.AddImage(d)
			return nil
		}
		big := func(a *Assignment) { a.Template.Container.Image.Digest = "big@sha256:2" }
		h.assign(assign("t1", big), assign("t2", big), assign("t3"))
		h.expect("t1", cluster.PhasePulling)
		h.expect("t3", cluster.PhaseRunning)
		h.pass(31 * time.Second)
		h.expect("t1", cluster.PhaseRunning)
		h.expect("t2", cluster.PhaseRunning)
		if fetches != 1 {
			t.Errorf("%d fetches of one image, want 1", fetches)
		}
	})
}

func TestFailedPullIsTriedAgain(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		tries := 0
		h.fetch = func(_ context.Context, d string) error {
			if tries++; tries < 4 {
				return errors.New("no route to the registry")
			}
			h.engine.AddImage(d)
			return nil
		}
		h.assign(assign("t1", func(a *Assignment) { a.Template.Container.Image.Digest = "big@sha256:2" }))
		if o := h.expect("t1", cluster.PhasePulling); o.Error != "no route to the registry" {
			t.Errorf("observed %+v", o)
		}
		h.pass(time.Minute)
		h.expect("t1", cluster.PhaseRunning)
	})
}

func TestStartThatFailedAndSucceeded(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.engine.Fail(fake.OpStart, fake.Fault{Err: errors.New("internal server error"), After: true, Times: 1})
		h.assign(assign("t1", restart(cluster.RestartPolicy{Condition: cluster.RestartNever})))
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 0 {
			t.Errorf("observed %+v, want no restart", o)
		}
	})
}

func TestCreateThatFailedAndSucceeded(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.engine.Fail(fake.OpCreate, fake.Fault{Err: fmt.Errorf("%w: timeout", runtime.ErrEngine), After: true, Times: 1})
		h.assign(assign("t1"))
		h.pass(2 * time.Second)
		h.expect("t1", cluster.PhaseRunning)
		h.box("t1")
	})
}

func TestNameConflicts(t *testing.T) {
	a := assign("t1")
	for name, tc := range map[string]struct {
		labels map[string]string
		want   cluster.Phase
	}{
		"our own container is taken over": {map[string]string{runtime.LabelCluster: "c1", runtime.LabelTask: "t1"}, cluster.PhaseRunning},
		"another cluster's is left":       {map[string]string{runtime.LabelCluster: "c2"}, cluster.PhaseBackoff},
		"a stray makes room":              {map[string]string{runtime.LabelCluster: "c1", runtime.LabelTask: "t9"}, cluster.PhaseRunning},
		"another task's is left":          {map[string]string{runtime.LabelCluster: "c1", runtime.LabelTask: "t2"}, cluster.PhaseBackoff},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, h *host) {
				_, err := h.engine.Create(t.Context(), runtime.Create{
					Name: ContainerName(&a), Labels: tc.labels, Spec: cluster.ContainerSpec{Image: cluster.Image{Digest: digest}},
				})
				if err != nil {
					t.Fatal(err)
				}
				h.assign(a, assign("t2"))
				o := h.expect("t1", tc.want)
				if tc.want == cluster.PhaseBackoff && o.Error == "" {
					t.Error("no error is reported")
				}
			})
		})
	}
}

func TestBusyPort(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		other, err := h.engine.Create(t.Context(), runtime.Create{
			Name: "other", Spec: cluster.ContainerSpec{Image: cluster.Image{Digest: digest}},
			Publish: []runtime.Publish{{Target: 80, Host: 80, Protocol: "tcp"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.engine.Start(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		h.assign(assign("t1", func(a *Assignment) {
			a.Template.Restart.MaxAttempts = 3 // a busy port is not the container's fault
			a.Template.Ports = []cluster.Port{{Target: 80, Published: 80, Protocol: "tcp", Mode: cluster.HostPort}}
		}))
		h.pass(5 * time.Minute)
		if o := h.observed("t1"); o.Error == "" || o.Final {
			t.Errorf("observed %+v, want the busy port named and no end", o)
		}
		h.engine.Delete(other)
		h.pass(maxTransientDelay)
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 0 {
			t.Errorf("observed %+v, want no restart: it never ran before", o)
		}
	})
}

func TestRemovedFromOutside(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		first := h.box("t1").ID
		h.engine.Delete(first)
		h.pass(time.Second)
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 1 || o.ContainerID == first {
			t.Errorf("observed %+v, want one restart in another container", o)
		}
	})
}

func TestStoppedFromOutside(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		id := h.box("t1").ID
		if err := h.engine.Stop(t.Context(), id, time.Second); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 1 || o.ContainerID != id {
			t.Errorf("observed %+v, want one restart in place", o)
		}
	})
}

func TestStopKeepsTheGrace(t *testing.T) {
	slow := func(runtime.Create) fake.Behaviour { return fake.Behaviour{StopTakes: time.Hour} }
	inBubble(t, slow, func(t *testing.T, h *host) {
		grace := func(a *Assignment) { a.Template.Container.StopGrace = 40 * time.Second }
		h.assign(assign("t1", grace))
		h.assign(assign("t1", grace, stopped))
		h.pass(39 * time.Second)
		h.expect("t1", cluster.PhaseRunning)
		h.pass(time.Second)
		if o := h.expect("t1", cluster.PhaseExited); o.ExitCode != 137 || o.Final {
			t.Errorf("observed %+v", o)
		}
		h.box("t1") // stays for logs
	})
}

func TestStrays(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"), assign("t2"))
		h.stop()
		h.pass(time.Second)
		if err := os.Remove(filepath.Join(h.dir, fileName)); err != nil {
			t.Fatal(err)
		}
		h.boot()
		h.pass(10 * time.Minute)
		if got := len(h.engine.Snapshot()); got != 2 {
			t.Fatalf("%d containers left without any set, want 2", got)
		}
		h.assign(assign("t1"))
		h.pass(9 * time.Second)
		if got := len(h.engine.Snapshot()); got != 2 {
			t.Errorf("%d containers within the grace, want 2", got)
		}
		h.pass(2 * time.Second)
		if got := h.engine.Snapshot(); len(got) != 1 || got[0].Labels[runtime.LabelTask] != "t1" {
			t.Errorf("left: %+v, want the container of t1 alone", got)
		}
	})
}

func TestOvertakenSetIsIgnored(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.index = 10
		h.assign(assign("t1"))
		h.worker.Assign(Set{Epoch: 1, Index: 3})
		h.worker.Assign(Set{Epoch: 0, Index: 99})
		h.pass(time.Minute)
		h.box("t1")
		h.worker.Assign(Set{Epoch: 2, Index: 1})
		h.pass(time.Minute)
		if got := h.engine.Snapshot(); len(got) != 0 {
			t.Errorf("after a newer epoch's empty set %d containers are left", len(got))
		}
	})
}

func TestReportsAreSentUntilAccepted(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.setRefusal(errors.New("no leader"))
		h.assign(assign("t1"))
		h.pass(time.Minute)
		h.setRefusal(nil)
		h.pass(lastRetry)
		h.expect("t1", cluster.PhaseRunning)
		if len(h.reports) != 1 {
			t.Errorf("%d reports, want one: only the latest counts", len(h.reports))
		}
		h.pass(time.Minute)
		if len(h.reports) != 1 {
			t.Errorf("%d reports, want no more without news", len(h.reports))
		}
		h.worker.ResendAll()
		synctest.Wait()
		if len(h.reports) != 2 || len(h.reports[1]) != 1 {
			t.Errorf("reports %v, want all again for a new leader", h.reports)
		}
	})
}

// A one-shot that completed must not run again because nobody remembers it:
// neither its container nor a newer set is there when the agent comes back.
func TestCompletedTaskStaysCompleted(t *testing.T) {
	once := func(runtime.Create) fake.Behaviour { return fake.Behaviour{ExitAfter: time.Second} }
	inBubble(t, once, func(t *testing.T, h *host) {
		h.assign(assign("t1", restart(cluster.RestartPolicy{Condition: cluster.RestartNever})))
		h.pass(2 * time.Second)
		h.stop()
		h.engine.Delete(h.box("t1").ID)
		h.boot()
		h.pass(time.Minute)
		if o := h.expect("t1", cluster.PhaseExited); !o.Final || h.engine.Calls(fake.OpCreate) != 1 {
			t.Errorf("after the agent's restart: %+v and %d creates, want it over and one", o, h.engine.Calls(fake.OpCreate))
		}
	})
}

func TestUnusedNetworksGo(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		h.pass(2 * tidyEvery)
		if len(h.engine.Networks()) != 1 {
			t.Fatalf("networks %v, want the stack's", h.engine.Networks())
		}
		h.assign()
		h.pass(2 * tidyEvery)
		if len(h.engine.Networks()) != 0 {
			t.Errorf("networks %v, want none", h.engine.Networks())
		}
	})
}
