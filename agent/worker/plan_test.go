package worker

import (
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
		"what a failing health check says is reported": {
			assigned: []Assignment{assign("t1")},
			actual: []runtime.Container{box("t1", runtime.StatusRunning, func(c *runtime.Container) {
				c.Health, c.Unhealthy = cluster.HealthUnhealthy, "no such table"
			})},
			phase: cluster.PhaseRunning, failure: "health check: no such table", wake: time.Second,
		},
		"a paused container is reported": {
			assigned: []Assignment{assign("t1")}, actual: []runtime.Container{box("t1", runtime.StatusPaused)},
			phase: cluster.PhaseRunning, failure: "the container is paused",
		},
		"an unhealthy container runs on for a moment": {
			assigned: []Assignment{assign("t1")}, phase: cluster.PhaseRunning, wake: time.Second,
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
		"what nobody has is a failure, and asked for again": {
			assigned: []Assignment{assign("t1")},
			change: func(in *Input) {
				in.Memory.Images = map[string]Image{"web@sha256:1": {Missing: true, Nowhere: true, Error: "nobody has it"}}
			},
			want: []string{"fetch web@sha256:1"}, phase: cluster.PhaseBackoff, failure: "nobody has it",
		},
		"a task that shall stop is stopped": {
			assigned: []Assignment{assign("t1", stopped)}, actual: []runtime.Container{box("t1", runtime.StatusRunning)},
			want: []string{"stop c-t1"},
		},
		"a task that balancers know runs on for a moment": {
			assigned: []Assignment{assign("t1", stopped, published, observed(cluster.Observed{Phase: cluster.PhaseRunning}))},
			actual:   []runtime.Container{box("t1", runtime.StatusRunning)},
			phase:    cluster.PhaseRunning, wake: DefaultLimits.Leave,
		},
		"a task that balancers may know still waits for them": {
			assigned: []Assignment{assign("t1", stopped, published, observed(cluster.Observed{Phase: cluster.PhaseRunning}))},
			actual:   []runtime.Container{box("t1", runtime.StatusRunning)},
			change:   func(in *Input) { in.Assigned.Index, in.Served = 8, Position{0, 7} },
			phase:    cluster.PhaseRunning, wake: DefaultLimits.LeaveBy,
		},
		"a task in a network waits as well": {
			assigned: []Assignment{assign("t1", stopped, networked, observed(cluster.Observed{Phase: cluster.PhaseRunning}))},
			actual:   []runtime.Container{box("t1", runtime.StatusRunning)},
			change:   func(in *Input) { in.Assigned.Index, in.Served = 8, Position{0, 7} },
			phase:    cluster.PhaseRunning, wake: DefaultLimits.LeaveBy,
		},
		"a task that all balancers have let go of is stopped": {
			assigned: []Assignment{assign("t1", stopped, published)}, actual: []runtime.Container{box("t1", runtime.StatusRunning)},
			change: both(local(Local{Leaving: now, Left: Position{0, 7}, Last: cluster.Observed{Phase: cluster.PhaseRunning}}),
				func(in *Input) { in.Assigned.Index, in.Served = 9, Position{0, 7} }),
			want: []string{"stop c-t1"}, phase: cluster.PhaseRunning,
		},
		"a task that waited long enough is stopped": {
			assigned: []Assignment{assign("t1", stopped, published)}, actual: []runtime.Container{box("t1", runtime.StatusRunning)},
			change: both(local(Local{Leaving: now.Add(-DefaultLimits.LeaveBy), Left: Position{0, 7}, Last: cluster.Observed{Phase: cluster.PhaseRunning}}),
				func(in *Input) { in.Served = Position{0, 6} }),
			want: []string{"stop c-t1"}, phase: cluster.PhaseRunning,
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
		"of a service that is gone it goes at once": {
			actual: []runtime.Container{exitedBox("t9", 1, 1, time.Second)},
			change: func(in *Input) { in.Assigned.Services = []cluster.ServiceID{} },
			want:   []string{"remove c-t9"},
		},
		"of a service that is there it stays, and those of others go": {
			actual: []runtime.Container{
				exitedBox("t9", 1, 1, time.Minute),
				box("t8", runtime.StatusExited, func(c *runtime.Container) { c.Labels[runtime.LabelService] = "db" }),
				box("t7", runtime.StatusDead, func(c *runtime.Container) { c.Labels[runtime.LabelStack] = "other" }),
			},
			change: func(in *Input) { in.Assigned.Services = []cluster.ServiceID{"shop/web"} },
			want:   []string{"remove c-t7", "remove c-t8"}, wake: 9 * time.Minute,
		},
		"a task whose service is about to go first reports its end": {
			assigned: []Assignment{assign("t1", stopped)}, actual: []runtime.Container{exitedBox("t1", 0, 1, time.Second)},
			change: func(in *Input) { in.Assigned.Services = []cluster.ServiceID{} },
			phase:  cluster.PhaseExited,
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

func TestStrayGraceBeginsAnew(t *testing.T) {
	in := input([]Assignment{assign("t9")}, box("t9", runtime.StatusRunning))
	in.Memory.Strays = map[string]time.Time{"c-t9": now}
	if d := Plan(in); len(d.Memory.Strays) != 0 {
		t.Errorf("strays %v of an assigned task, want them forgotten", d.Memory.Strays)
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
		for range 2 { // the second time shows whether the first changed its input
			if diff := cmp.Diff(want, Plan(in)); diff != "" {
				t.Fatal(diff)
			}
		}
	}
}
