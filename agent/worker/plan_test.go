package worker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// assign makes an assignment of shop/web, slot 1.
func assign(id string, change ...func(*Assignment)) Assignment {
	a := Assignment{
		Stack: "shop",
		Task: cluster.Task{
			ID: cluster.TaskID(id), Service: "shop/web", Slot: 1, Generation: 1, Node: "n1", Desired: cluster.Running,
		},
		Template: cluster.Template{Container: cluster.ContainerSpec{Image: cluster.Image{Ref: "web:1", Digest: "web@sha256:1"}}},
	}
	for _, f := range change {
		f(&a)
	}
	return a
}

func stopped(a *Assignment) { a.Task.Desired = cluster.Stopped }

func restart(p cluster.RestartPolicy) func(*Assignment) {
	return func(a *Assignment) { a.Template.Restart = p }
}

func observed(o cluster.Observed) func(*Assignment) {
	return func(a *Assignment) { a.Task.Observed = o }
}

// box makes a container of the task.
func box(task string, s runtime.Status, change ...func(*runtime.Container)) runtime.Container {
	c := runtime.Container{
		ID: "c-" + task, Status: s, Created: ago(time.Hour),
		Labels: map[string]string{
			runtime.LabelCluster: "c1", runtime.LabelStack: "shop", runtime.LabelService: "web",
			runtime.LabelSlot: "1", runtime.LabelTask: task,
		},
	}
	if s == runtime.StatusRunning || s == runtime.StatusPaused {
		c.Started = ago(time.Minute)
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

// exitedBox is a container that ran for a while and ended some time ago.
func exitedBox(task string, code int, ran, since time.Duration) runtime.Container {
	return box(task, runtime.StatusExited, func(c *runtime.Container) {
		c.ExitCode, c.Started, c.Finished = code, ago(ran+since), ago(since)
	})
}

func input(assigned []Assignment, actual ...runtime.Container) Input {
	return Input{
		Now: now, Address: "10.0.0.1", Assigned: Set{Epoch: 1, Index: 1, Assignments: assigned}, Known: true,
		Actual: actual, EngineUp: true, Limits: DefaultLimits,
	}
}

// words describes actions as "kind subject".
func words(actions []Action) []string {
	out := []string{}
	for _, a := range actions {
		subject := a.Container
		switch a.Kind {
		case Create:
			subject = string(a.Task)
		case Fetch:
			subject = a.Image
		}
		out = append(out, string(a.Kind)+" "+subject)
	}
	return out
}

func TestPlan(t *testing.T) {
	local := func(l Local) func(*Input) {
		return func(in *Input) { in.Memory.Tasks = map[cluster.TaskID]Local{"t1": l} }
	}
	flight := func(key string, k ActionKind) func(*Input) {
		return func(in *Input) { in.InFlight = map[string]Flight{key: {Kind: k, Since: now}} }
	}
	strayFrom := func(at time.Time) func(*Input) {
		return func(in *Input) { in.Memory.Strays = map[string]time.Time{"c-t9": at} }
	}
	onFailure := restart(cluster.RestartPolicy{Condition: cluster.RestartOnFailure})
	never := restart(cluster.RestartPolicy{Condition: cluster.RestartNever})
	failed := func(why string) func(*runtime.Container) {
		return func(c *runtime.Container) { c.Error = why }
	}
	for name, tc := range map[string]struct {
		assigned []Assignment
		actual   []runtime.Container
		change   func(*Input)
		want     []string
		phase    cluster.Phase // of t1
		final    bool
		failure  string        // its Error
		wake     time.Duration // from now; 0: none
	}{
		"nothing to do": {},
		"a new task is created": {
			assigned: []Assignment{assign("t1")}, want: []string{"create t1"}, phase: cluster.PhaseStarting,
		},
		"no set, no action": {
			actual: []runtime.Container{box("t9", runtime.StatusRunning)},
			change: func(in *Input) { in.Known = false },
		},
		"a running container is adopted": {
			assigned: []Assignment{assign("t1")}, actual: []runtime.Container{box("t1", runtime.StatusRunning)}, phase: cluster.PhaseRunning,
		},
		"an adopted container may have another name and label order": {
			assigned: []Assignment{assign("t1")},
			actual:   []runtime.Container{box("t1", runtime.StatusRunning, func(c *runtime.Container) { c.Name = "renamed" })},
			phase:    cluster.PhaseRunning,
		},
		"a paused container is reported": {
			assigned: []Assignment{assign("t1")}, actual: []runtime.Container{box("t1", runtime.StatusPaused)},
			phase: cluster.PhaseRunning, failure: "the container is paused",
		},
		"an unhealthy container is left alone": {
			assigned: []Assignment{assign("t1")}, phase: cluster.PhaseRunning,
			actual: []runtime.Container{box("t1", runtime.StatusRunning, func(c *runtime.Container) { c.Health = cluster.HealthUnhealthy })},
		},
		"a container that was made and not started is started": {
			assigned: []Assignment{assign("t1")}, actual: []runtime.Container{box("t1", runtime.StatusCreated)},
			want: []string{"start c-t1"}, phase: cluster.PhaseStarting,
		},
		"a container whose start failed is made anew": {
			assigned: []Assignment{assign("t1")}, actual: []runtime.Container{box("t1", runtime.StatusCreated, failed("no such device"))},
			want: []string{"remove c-t1"}, phase: cluster.PhaseBackoff, failure: "no such device",
		},
		"made anew, the gap is not counted": {
			assigned: []Assignment{assign("t1")}, change: local(Local{Container: "c-t1", Anew: true, Error: "port is in use"}),
			want: []string{"create t1"}, phase: cluster.PhaseStarting, failure: "port is in use",
		},
		"an exit waits for its back-off": {
			assigned: []Assignment{assign("t1")}, actual: []runtime.Container{exitedBox("t1", 3, time.Second, 400*time.Millisecond)},
			phase: cluster.PhaseBackoff, failure: "exited with code 3", wake: 600 * time.Millisecond,
		},
		"after the back-off the same container starts again": {
			assigned: []Assignment{assign("t1")}, actual: []runtime.Container{exitedBox("t1", 3, time.Second, time.Second)},
			want: []string{"start c-t1"}, phase: cluster.PhaseStarting, failure: "exited with code 3",
		},
		"exit code 0 restarts too": {
			assigned: []Assignment{assign("t1")}, actual: []runtime.Container{exitedBox("t1", 0, time.Second, time.Second)},
			want: []string{"start c-t1"}, phase: cluster.PhaseStarting, failure: "exited with code 0",
		},
		"out of memory is said": {
			assigned: []Assignment{assign("t1")}, phase: cluster.PhaseBackoff, failure: "killed: out of memory", wake: time.Second,
			actual: []runtime.Container{box("t1", runtime.StatusExited, func(c *runtime.Container) { c.OOM, c.ExitCode, c.Finished = true, 137, now })},
		},
		"a counted exit is not counted again": {
			assigned: []Assignment{assign("t1")}, actual: []runtime.Container{exitedBox("t1", 3, time.Second, time.Second)},
			change: local(Local{Container: "c-t1", Counted: exitOf("c-t1", ago(time.Second)), Streak: 5, NextTry: now.Add(7 * time.Second)}),
			phase:  cluster.PhaseBackoff, wake: 7 * time.Second,
		},
		"on-failure: a failure restarts": {
			assigned: []Assignment{assign("t1", onFailure)}, actual: []runtime.Container{exitedBox("t1", 1, time.Second, time.Second)},
			want: []string{"start c-t1"}, phase: cluster.PhaseStarting, failure: "exited with code 1",
		},
		"on-failure: success completes": {
			assigned: []Assignment{assign("t1", onFailure)}, actual: []runtime.Container{exitedBox("t1", 0, time.Second, time.Second)},
			phase: cluster.PhaseExited, final: true,
		},
		"none: success completes": {
			assigned: []Assignment{assign("t1", never)}, actual: []runtime.Container{exitedBox("t1", 0, time.Second, time.Second)},
			phase: cluster.PhaseExited, final: true,
		},
		"none: failure fails": {
			assigned: []Assignment{assign("t1", never)}, actual: []runtime.Container{exitedBox("t1", 2, time.Second, time.Second)},
			phase: cluster.PhaseExited, final: true, failure: "exited with code 2",
		},
		"too many attempts give up": {
			assigned: []Assignment{assign("t1", restart(cluster.RestartPolicy{MaxAttempts: 2}))},
			actual:   []runtime.Container{exitedBox("t1", 2, time.Second, time.Second)},
			change:   local(Local{Container: "c-t1", Attempts: 2, Streak: 2}),
			phase:    cluster.PhaseExited, final: true, failure: "gave up after 2 restarts: exited with code 2",
		},
		"a long run forgives attempts": {
			assigned: []Assignment{assign("t1", restart(cluster.RestartPolicy{MaxAttempts: 2}))},
			actual:   []runtime.Container{exitedBox("t1", 2, time.Minute, time.Second)},
			change:   local(Local{Container: "c-t1", Attempts: 2, Streak: 2}),
			want:     []string{"start c-t1"}, phase: cluster.PhaseStarting, failure: "exited with code 2",
		},
		"an ended task stays ended": {
			assigned: []Assignment{assign("t1", observed(cluster.Observed{Phase: cluster.PhaseExited, Final: true, ContainerID: "c-t1"}))},
			actual:   []runtime.Container{exitedBox("t1", 0, time.Second, time.Hour)},
			phase:    cluster.PhaseExited, final: true,
		},
		"a container that was removed from outside comes back after a back-off": {
			assigned: []Assignment{assign("t1")}, change: local(Local{Container: "c-t1", Ran: true}),
			phase: cluster.PhaseBackoff, failure: "its container was removed from outside", wake: time.Second,
		},
		"so it does when the agent was restarted meanwhile": {
			assigned: []Assignment{assign("t1", observed(cluster.Observed{Phase: cluster.PhaseRunning, ContainerID: "c-t1", Started: ago(time.Hour)}))},
			phase:    cluster.PhaseBackoff, failure: "its container was removed from outside", wake: time.Second,
		},
		"a one-shot that was removed from outside failed": {
			assigned: []Assignment{assign("t1", never)}, change: local(Local{Container: "c-t1", Ran: true}),
			phase: cluster.PhaseExited, final: true, failure: "its container was removed from outside",
		},
		"a container that the engine is removing is waited for": {
			assigned: []Assignment{assign("t1")}, actual: []runtime.Container{box("t1", runtime.StatusRemoving)}, wake: recheck,
		},
		"a dead container is made anew": {
			assigned: []Assignment{assign("t1")},
			actual:   []runtime.Container{box("t1", runtime.StatusDead, func(c *runtime.Container) { c.Finished = ago(time.Minute) })},
			want:     []string{"remove c-t1"}, phase: cluster.PhaseBackoff, failure: "exited with code 0",
		},
		"a missing image is fetched": {
			assigned: []Assignment{assign("t1")},
			change:   func(in *Input) { in.Memory.Images = map[string]Image{"web@sha256:1": {Missing: true}} },
			want:     []string{"fetch web@sha256:1"}, phase: cluster.PhasePulling,
		},
		"a missing image is fetched once for all": {
			assigned: []Assignment{assign("t1"), assign("t2")},
			change:   func(in *Input) { in.Memory.Images = map[string]Image{"web@sha256:1": {Missing: true}} },
			want:     []string{"fetch web@sha256:1"}, phase: cluster.PhasePulling,
		},
		"an image on its way is waited for": {
			assigned: []Assignment{assign("t1")},
			change: func(in *Input) {
				in.Memory.Images = map[string]Image{"web@sha256:1": {Missing: true}}
				in.InFlight = map[string]Flight{imageKey("web@sha256:1"): {Kind: Fetch, Since: now}}
			},
			phase: cluster.PhasePulling,
		},
		"a failed fetch waits": {
			assigned: []Assignment{assign("t1")},
			change: func(in *Input) {
				in.Memory.Images = map[string]Image{"web@sha256:1": {Missing: true, Error: "no route", NextTry: now.Add(4 * time.Second)}}
			},
			phase: cluster.PhasePulling, failure: "no route", wake: 4 * time.Second,
		},
		"a task that shall stop is stopped": {
			assigned: []Assignment{assign("t1", stopped)}, actual: []runtime.Container{box("t1", runtime.StatusRunning)},
			want: []string{"stop c-t1"},
		},
		"a task that stopped is over": {
			assigned: []Assignment{assign("t1", stopped)}, actual: []runtime.Container{exitedBox("t1", 143, time.Minute, time.Second)},
			phase: cluster.PhaseExited,
		},
		"a task that never started is over": {
			assigned: []Assignment{assign("t1", stopped)}, phase: cluster.PhaseExited,
		},
		"a task that stops before its start leaves nothing": {
			assigned: []Assignment{assign("t1", stopped)}, actual: []runtime.Container{box("t1", runtime.StatusCreated)},
			want: []string{"remove c-t1"},
		},
		"a failed stop is tried again later": {
			assigned: []Assignment{assign("t1", stopped)}, actual: []runtime.Container{box("t1", runtime.StatusRunning)},
			change: local(Local{NextStop: now.Add(retryStop)}), wake: retryStop,
		},
		"what is under way is waited for": {
			assigned: []Assignment{assign("t1")}, change: flight(taskKey("t1"), Create),
		},
		"a stray has a grace": {
			actual: []runtime.Container{box("t9", runtime.StatusRunning)}, wake: 10 * time.Second,
		},
		"after it the stray goes": {
			actual: []runtime.Container{box("t9", runtime.StatusRunning)}, change: strayFrom(now), want: []string{"remove c-t9"},
		},
		"a stray that is being removed is waited for": {
			actual: []runtime.Container{box("t9", runtime.StatusRunning)},
			change: func(in *Input) { strayFrom(now)(in); flight(containerKey("c-t9"), Remove)(in) },
		},
		"a stray that never started goes too": {
			actual: []runtime.Container{box("t9", runtime.StatusCreated)}, change: strayFrom(now), want: []string{"remove c-t9"},
		},
		"a stray that is assigned after all stays": {
			assigned: []Assignment{assign("t9")}, actual: []runtime.Container{box("t9", runtime.StatusRunning)}, change: strayFrom(now),
		},
		"a second container of a task goes": {
			assigned: []Assignment{assign("t9")},
			actual: []runtime.Container{
				box("t9", runtime.StatusRunning, func(c *runtime.Container) { c.ID = "newer"; c.Created = now }),
				box("t9", runtime.StatusRunning),
			},
			change: strayFrom(now), want: []string{"remove c-t9"},
		},
		"a running container is preferred to a newer one that ended": {
			assigned: []Assignment{assign("t1")}, phase: cluster.PhaseRunning,
			actual: []runtime.Container{
				box("t1", runtime.StatusExited, func(c *runtime.Container) { c.ID = "newer"; c.Created = now; c.Finished = now }),
				box("t1", runtime.StatusRunning),
			},
		},
		"the last two ended containers of a slot stay": {
			assigned: []Assignment{assign("t1"), assign("t2", stopped), assign("t3", stopped), assign("t4", stopped)},
			actual: []runtime.Container{
				box("t1", runtime.StatusRunning), exitedBox("t2", 0, 1, 30*time.Hour), exitedBox("t3", 0, 1, 20*time.Hour), exitedBox("t4", 0, 1, 10*time.Hour),
			},
			want: []string{"remove c-t2"}, phase: cluster.PhaseRunning,
		},
		"the ended container of an unassigned task stays for a while": {
			actual: []runtime.Container{exitedBox("t9", 0, 1, 9*time.Minute)}, wake: time.Minute,
		},
		"then it goes": {
			actual: []runtime.Container{exitedBox("t9", 0, 1, 10*time.Minute)}, want: []string{"remove c-t9"},
		},
		"a container in back-off is not history": {
			assigned: []Assignment{assign("t1", restart(cluster.RestartPolicy{Delay: time.Hour})), assign("t2", stopped), assign("t3", stopped)},
			actual: []runtime.Container{
				exitedBox("t1", 1, 1, 40*time.Minute), exitedBox("t2", 0, 1, 1), exitedBox("t3", 0, 1, 1),
			},
			phase: cluster.PhaseBackoff, failure: "exited with code 1", wake: 20 * time.Minute,
		},
		"a silent engine: nothing is done, nothing is news": {
			assigned: []Assignment{assign("t1", observed(cluster.Observed{Phase: cluster.PhaseRunning, ContainerID: "c-t1"})), assign("t2")},
			actual:   []runtime.Container{box("t9", runtime.StatusRunning)},
			change:   func(in *Input) { in.EngineUp = false },
			phase:    cluster.PhaseRunning,
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(tc.assigned, tc.actual...)
			if tc.change != nil {
				tc.change(&in)
			}
			d := Plan(in)
			if diff := cmp.Diff(tc.want, words(d.Actions), cmp.Comparer(func(a, b []string) bool { return slices.Equal(a, b) })); diff != "" {
				t.Errorf("actions: %s", diff)
			}
			for _, a := range d.Actions {
				if a.Reason == "" {
					t.Errorf("%s %s has no reason", a.Kind, a.Container)
				}
			}
			o := d.Memory.Tasks["t1"].Last
			if o.Phase != tc.phase || o.Final != tc.final || o.Error != tc.failure {
				t.Errorf("observed %+v, want phase %q, final %v, error %q", o, tc.phase, tc.final, tc.failure)
			}
			if wake := d.Wake; tc.wake == 0 && !wake.IsZero() || tc.wake != 0 && !wake.Equal(now.Add(tc.wake)) {
				t.Errorf("wake = %v, want %v from %v", wake, tc.wake, now)
			}
		})
	}
}

func TestPlanKeepsToItsLimits(t *testing.T) {
	var assigned []Assignment
	var actual []runtime.Container
	for i := range 10 {
		assigned = append(assigned, assign(fmt.Sprintf("a%d", i)))
		assigned = append(assigned, assign(fmt.Sprintf("b%d", i), stopped))
		actual = append(actual, box(fmt.Sprintf("b%d", i), runtime.StatusRunning))
		restarting := assign(fmt.Sprintf("0%d", i)) // sorts before the fresh ones
		assigned = append(assigned, restarting)
		actual = append(actual, exitedBox(string(restarting.Task.ID), 1, 1, time.Hour))
	}
	in := input(assigned, actual...)
	in.InFlight = map[string]Flight{
		"task w": {Create, ago(time.Minute)}, "task x": {Create, ago(5 * time.Second)},
		"task y": {Stop, now}, "task z": {Remove, now},
	}
	d := Plan(in)
	if !d.Wake.Equal(now.Add(10 * time.Second)) {
		t.Errorf("wake = %v, want it when the younger start counts no more", d.Wake)
	}
	got := words(d.Actions)
	want := []string{"stop c-b0", "stop c-b1", "stop c-b2", "stop c-b3", "stop c-b4", "stop c-b5", "create a0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRestartsAreCountedWhenTheyStart(t *testing.T) {
	a, b := assign("t1"), assign("t2")
	in := input([]Assignment{a, b}, exitedBox("t1", 1, 1, time.Hour), exitedBox("t2", 1, 1, time.Hour))
	in.Limits.Starts = 1
	d := Plan(in)
	if got := []int{d.Memory.Tasks["t1"].Restarts, d.Memory.Tasks["t2"].Restarts}; !slices.Equal(got, []int{1, 0}) {
		t.Errorf("restarts = %v, want 1 of the one that was admitted", got)
	}
}

func TestCountsSurviveTheAgent(t *testing.T) {
	c := exitedBox("t1", 1, time.Second, time.Second)
	seen := cluster.Observed{Phase: cluster.PhaseBackoff, Restarts: 3, ContainerID: c.ID, Finished: c.Finished, Started: c.Started}
	in := input([]Assignment{assign("t1", observed(seen), restart(cluster.RestartPolicy{Condition: cluster.RestartNever}))}, c)
	d := Plan(in)
	if l := d.Memory.Tasks["t1"]; l.Restarts != 4 || l.Final {
		t.Errorf("memory %+v, want the fourth restart, and the exit not counted again", l)
	}
}

func TestTheClusterRemindsTheAgent(t *testing.T) {
	over := cluster.Observed{Phase: cluster.PhaseExited, Final: true, Error: "gave up", ExitCode: 5, Restarts: 7}
	in := input([]Assignment{assign("t1", observed(over))}, exitedBox("t1", 5, time.Second, time.Minute))
	in.Memory.Tasks = map[cluster.TaskID]Local{"t1": {Restarts: 1}}
	d := Plan(in)
	if o := d.Memory.Tasks["t1"].Last; len(d.Actions) != 0 || !o.Final || o.Error != "gave up" || o.Restarts != 7 {
		t.Errorf("actions %v, observed %+v, want it over", words(d.Actions), o)
	}
}

func TestStrayGraceBeginsAnew(t *testing.T) {
	in := input([]Assignment{assign("t9")}, box("t9", runtime.StatusRunning))
	in.Memory.Strays = map[string]time.Time{"c-t9": now}
	if d := Plan(in); len(d.Memory.Strays) != 0 {
		t.Errorf("strays %v of an assigned task, want them forgotten", d.Memory.Strays)
	}
}

func TestBackoffGrows(t *testing.T) {
	for name, tc := range map[string]struct {
		policy cluster.RestartPolicy
		want   []time.Duration // for streaks 1, 2, ...
	}{
		"default":   {cluster.RestartPolicy{}, []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}},
		"own delay": {cluster.RestartPolicy{Delay: 20 * time.Second}, []time.Duration{20, 40, 60, 60}},
		"long":      {cluster.RestartPolicy{Delay: 5 * time.Minute}, []time.Duration{300, 300}},
	} {
		for i, want := range tc.want {
			if got := delay(tc.policy, i+1); got != want*time.Second {
				t.Errorf("%s: delay %d = %v, want %v", name, i+1, got, want*time.Second)
			}
		}
	}
	if got := delay(cluster.RestartPolicy{}, 1_000_000); got != maxDelay {
		t.Errorf("delay after a million failures = %v", got)
	}
}

func TestSettle(t *testing.T) {
	a := assign("t1")
	action := func(k ActionKind) Action {
		return Action{Kind: k, Task: "t1", Image: "web@sha256:1", Assignment: &a}
	}
	for name, tc := range map[string]struct {
		kind     ActionKind
		err      error
		streak   int
		attempts int
		anew     bool
		missing  bool
	}{
		"success":                 {kind: Create},
		"image missing":           {kind: Create, err: runtime.ErrNotFound, missing: true},
		"container or net gone":   {kind: Start, err: runtime.ErrNotFound, streak: 1, anew: true},
		"silent engine":           {kind: Create, err: runtime.ErrEngine, streak: 1},
		"busy port":               {kind: Create, err: runtime.ErrPortBusy, streak: 1},
		"name in use":             {kind: Create, err: runtime.ErrConflict, streak: 1},
		"refused":                 {kind: Create, err: runtime.ErrRefused, streak: 1, attempts: 1},
		"bad spec":                {kind: Start, err: runtime.ErrInvalid, streak: 1, attempts: 1},
		"engine's internal error": {kind: Start, err: errors.New("oops"), streak: 1, attempts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			m := Memory{Tasks: map[cluster.TaskID]Local{"t1": {}}, Images: map[string]Image{}}
			m.Settle(action(tc.kind), tc.err, now)
			l := m.Tasks["t1"]
			if l.Streak != tc.streak || l.Attempts != tc.attempts || l.Anew != tc.anew || m.Images["web@sha256:1"].Missing != tc.missing {
				t.Errorf("memory = %+v, %+v", l, m.Images)
			}
			if waits := l.NextTry.After(now); waits != (tc.streak > 0) {
				t.Errorf("next try %v, want it to wait: %v", l.NextTry, tc.streak > 0)
			}
		})
	}
}

func TestFetchesAreSpacedEvenWhenTheySucceed(t *testing.T) {
	a := assign("t1")
	m := Memory{Images: map[string]Image{"web@sha256:1": {Missing: true}}}
	for range 3 {
		m.Settle(Action{Kind: Fetch, Image: "web@sha256:1", Assignment: &a}, nil, now)
	}
	if i := m.Images["web@sha256:1"]; i.Missing || !i.NextTry.Equal(now.Add(4*time.Second)) {
		t.Errorf("after three fetches without a container: %+v, want the next in 4s", i)
	}
}

func TestRunningIsReportedWithItsPorts(t *testing.T) {
	bridge := assign("t1")
	host := assign("t2", func(a *Assignment) {
		a.Template.Container.NetworkMode = "host"
		a.Template.Ports = []cluster.Port{{Target: 80, Protocol: "tcp"}}
	})
	d := Plan(input([]Assignment{bridge, host},
		box("t1", runtime.StatusRunning, func(c *runtime.Container) {
			c.Ports, c.Health = []cluster.PortBinding{{Target: 80, Host: 32768, Protocol: "tcp"}}, cluster.HealthStarting
		}),
		box("t2", runtime.StatusRunning)))
	want := []Observation{
		{"t1", cluster.Observed{
			Phase: cluster.PhaseRunning, Health: cluster.HealthStarting, ContainerID: "c-t1", Address: "10.0.0.1",
			Ports: []cluster.PortBinding{{Target: 80, Host: 32768, Protocol: "tcp"}}, Started: ago(time.Minute),
		}},
		{"t2", cluster.Observed{
			Phase: cluster.PhaseRunning, ContainerID: "c-t2", Address: "10.0.0.1",
			Ports: []cluster.PortBinding{{Target: 80, Host: 80, Protocol: "tcp"}}, Started: ago(time.Minute),
		}},
	}
	if diff := cmp.Diff(want, d.Observed); diff != "" {
		t.Error(diff)
	}
}

// The order of lists and maps must not show in a decision, nor may the input
// be changed by it.
func TestPlanDependsOnNoOrder(t *testing.T) {
	build := func() Input {
		var assigned []Assignment
		var actual []runtime.Container
		for i := range 30 {
			id := fmt.Sprintf("t%02d", i)
			switch i % 5 {
			case 0:
				assigned = append(assigned, assign(id))
			case 1:
				assigned = append(assigned, assign(id, stopped))
				actual = append(actual, box(id, runtime.StatusRunning))
			case 2:
				assigned = append(assigned, assign(id))
				actual = append(actual, exitedBox(id, 1, 1, time.Hour))
			case 3:
				actual = append(actual, box(id, runtime.StatusRunning))
			case 4:
				actual = append(actual, exitedBox(id, 1, 1, time.Duration(i%10)*time.Minute))
			}
		}
		in := input(assigned, actual...)
		in.Limits.Stops = 3
		return in
	}
	want := Plan(build())
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		in := build()
		random.Shuffle(len(in.Actual), func(i, j int) { in.Actual[i], in.Actual[j] = in.Actual[j], in.Actual[i] })
		list := in.Assigned.Assignments
		random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if diff := cmp.Diff(want, Plan(in)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestSetNewer(t *testing.T) {
	for _, tc := range []struct {
		s, than Set
		want    bool
	}{
		{Set{Epoch: 1, Index: 2}, Set{Epoch: 1, Index: 1}, true},
		{Set{Epoch: 1, Index: 1}, Set{Epoch: 1, Index: 1}, false},
		{Set{Epoch: 1, Index: 9}, Set{Epoch: 2, Index: 1}, false},
		{Set{Epoch: 2, Index: 1}, Set{Epoch: 1, Index: 9}, true},
	} {
		if got := tc.s.Newer(tc.than); got != tc.want {
			t.Errorf("(%d, %d) newer than (%d, %d) = %v", tc.s.Epoch, tc.s.Index, tc.than.Epoch, tc.than.Index, got)
		}
	}
}

func TestRequest(t *testing.T) {
	a := assign("01ARZ3NDEKTSV4RRFFQ69G5FAV", func(a *Assignment) {
		a.Template.Ports = []cluster.Port{
			{Target: 80, Published: 8080, Protocol: "tcp", Mode: cluster.Ingress},
			{Target: 80, Published: 8081, Protocol: "tcp", Mode: cluster.Ingress},
			{Target: 80, Published: 80, Protocol: "tcp", Mode: cluster.HostPort, HostIP: "127.0.0.1"},
		}
	})
	got := Request(Host{ClusterID: "c1", NodeID: "n1", NodeName: "alpha"}, &a)
	want := runtime.Create{
		Name: "muster-shop-web-1-01arz3ndektsv4rrffq69g5fav",
		Labels: map[string]string{
			"muster.cluster": "c1", "muster.stack": "shop", "muster.service": "web", "muster.slot": "1",
			"muster.task": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "muster.generation": "1",
		},
		Spec:          a.Template.Container,
		Network:       "muster-shop",
		NetworkLabels: map[string]string{"muster.cluster": "c1", "muster.stack": "shop"},
		Aliases:       []string{"web"},
		Publish:       []runtime.Publish{{Target: 80, Protocol: "tcp"}, {Target: 80, Host: 80, HostIP: "127.0.0.1", Protocol: "tcp"}},
		Env: map[string]string{
			"MUSTER_NODE_NAME": "alpha", "MUSTER_NODE_ID": "n1", "MUSTER_STACK": "shop", "MUSTER_SERVICE": "web",
			"MUSTER_SLOT": "1", "MUSTER_TASK": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
		},
		VolumeLabels: map[string]string{"muster.cluster": "c1", "muster.stack": "shop"},
		VolumePrefix: "shop_",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	a.Template.Container.NetworkMode = "host"
	if got := Request(Host{}, &a); got.Network != "" || got.Publish != nil || got.Aliases != nil {
		t.Errorf("host networking: %+v, want no network of ours", got)
	}
}
