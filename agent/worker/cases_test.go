package worker

import (
	"net/netip"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

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

func published(a *Assignment) {
	a.Template.Ports = []cluster.Port{{Target: 80, Published: 8080, Protocol: "tcp"}}
}

func networked(a *Assignment) {
	a.Task.Addresses = []cluster.TaskAddress{{Network: "shop/default", Address: netip.MustParseAddr("10.194.0.2")}}
}

// both changes an input twice.
func both(a, b func(*Input)) func(*Input) {
	return func(in *Input) { a(in); b(in) }
}

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
