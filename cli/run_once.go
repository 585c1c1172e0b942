package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/compose"
)

// runOnce runs a service's only task to its end, shows its output, and removes
// the stack. The error has the task's exit code.
func (c *CLI) runOnce(ctx context.Context, cl *client.Client, stack *compose.Stack, o runOptions) error {
	name := stack.Name
	if _, err := cl.DeployAs(ctx, name, deployOf(stack)); err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	r := &oneRun{c: c, cl: cl, stack: name}
	task, err := r.started(ctx, o.timeout)
	if err == nil {
		task, err = r.ended(ctx, task)
	}
	if errors.Is(err, context.Canceled) {
		return c.detached(err, fmt.Sprintf("it goes on; see: muster logs -f %s; remove it with: muster rm %s", name, name))
	}
	if err != nil {
		return fmt.Errorf("%w; what is there of it stays; remove it with: muster rm %s", err, name)
	}
	if _, err := cl.RemoveStack(ctx, name); err != nil {
		return fmt.Errorf("remove %s: %w; remove it with: muster rm %s", name, err, name)
	}
	switch {
	case task.State == string(cluster.StateComplete):
		return nil
	case task.ExitCode != 0:
		return &exitStatus{code: task.ExitCode} // its output has said why
	}
	return fmt.Errorf("the task was %s: %s", task.State, orNone(cause(task)))
}

// oneRun follows the only task of a stack.
type oneRun struct {
	c       *CLI
	cl      *client.Client
	stack   string
	printed int // lines of output
}

// started waits until the task has a container or has ended.
func (r *oneRun) started(ctx context.Context, timeout time.Duration) (api.Task, error) {
	var task api.Task
	shown := ""
	err := r.c.poll(ctx, timeout, func(ctx context.Context) (bool, error) {
		status, err := r.cl.Stack(ctx, r.stack)
		if err != nil || len(status.Tasks) == 0 {
			return false, err
		}
		task = status.Tasks[len(status.Tasks)-1]
		if task.State == string(cluster.StatePending) && task.Reason != "" && task.Reason != shown {
			shown = task.Reason
			r.c.notef("waiting: %s", paint.Printable(task.Reason))
		}
		return over(task.State) || task.State == string(cluster.StateRunning), nil
	})
	if errors.Is(err, errTimedOut) {
		return task, &exitStatus{exitUnhealthy, fmt.Errorf("%s has not started after %s: %s", r.stack, timeout, orNone(cause(task)))}
	}
	return task, err
}

// ended shows the task's output until it ends, however long that takes.
func (r *oneRun) ended(ctx context.Context, task api.Task) (api.Task, error) {
	follow, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.show(follow, client.LogQuery{Task: task.ID, Follow: true, Tail: -1}, 0)
	}()
	const forever = 10 * 365 * 24 * time.Hour
	err := r.c.poll(ctx, forever, func(ctx context.Context) (bool, error) {
		now, err := r.cl.Task(ctx, task.ID)
		if err != nil {
			return false, err
		}
		task = now.Task
		return over(task.State), nil
	})
	stop()
	<-done
	if err != nil {
		return task, err
	}
	// What the stream had not brought when it was stopped.
	rest, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r.show(rest, client.LogQuery{Task: task.ID, Tail: -1}, r.printed)
	return task, nil
}

// show prints lines from the given one on. A stream that breaks is not an error:
// the rest is fetched at the end.
func (r *oneRun) show(ctx context.Context, q client.LogQuery, from int) {
	n := 0
	for line, err := range r.cl.Logs(ctx, q) {
		if err != nil {
			return
		}
		if line.Stream == "error" {
			continue
		}
		if n++; n <= from {
			continue
		}
		r.printed++
		out := r.c.Stdout
		if line.Stream == "stderr" {
			out = r.c.Stderr
		}
		fmt.Fprintln(out, line.Line)
	}
}
