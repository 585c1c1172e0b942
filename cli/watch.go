package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cluster"
)

// watch follows one stack and prints a line for each change of a task's state.
type watch struct {
	c       *CLI
	cl      *client.Client
	stack   string
	started time.Time

	seen      map[string]string // what was last printed, by task
	before    map[string]bool   // tasks that ran before the write
	explained map[string]bool   // services whose failure was shown with its logs
	status    api.StackStatus   // as last seen
	steady    int               // looks in a row that found the stack settled
	ended     int               // looks in a row that found nothing that can still change
	expected  map[string]uint64 // the generations that the write made, by service
}

// newWatch remembers the stack as it is before a write, so that only what the
// write changes is printed. A stack that is not there yet has nothing to remember.
func (c *CLI) newWatch(ctx context.Context, cl *client.Client, stack string) (*watch, error) {
	w := &watch{
		c: c, cl: cl, stack: stack, started: c.Now(),
		seen: map[string]string{}, before: map[string]bool{}, explained: map[string]bool{}, expected: map[string]uint64{},
	}
	before, err := cl.Stack(ctx, stack)
	if err != nil && !client.NotFound(err) {
		return nil, err
	}
	for _, t := range before.Tasks {
		w.seen[t.ID] = taskLine(t)
		w.before[t.ID] = t.State == string(cluster.StateRunning)
	}
	return w, nil
}

// settle waits until the stack runs as it should. The error has exit code 3 when
// it does not in time, or cannot any more.
func (w *watch) settle(ctx context.Context, timeout time.Duration) error {
	err := w.c.poll(ctx, timeout, func(ctx context.Context) (bool, error) {
		if err := w.look(ctx); err != nil {
			return false, err
		}
		w.reportFailures(ctx)
		return w.settled() || w.final() || w.refuted() != nil, nil
	})
	switch failing := w.lacking(); {
	case err == nil && w.refuted() != nil:
		return &exitStatus{exitUnhealthy, w.refuted()}
	case errors.Is(err, errTimedOut):
		return w.unhealthy(ctx, fmt.Sprintf("after %s", timeout))
	case err != nil:
		return w.c.detached(err, "the cluster goes on; see: muster ps "+w.stack)
	case !w.status.Settled && slices.ContainsFunc(failing, w.failed):
		return w.unhealthy(ctx, "and will not be by itself")
	}
	w.summary()
	return nil
}

// gone waits until the service is no more, or for "" the whole stack.
func (w *watch) gone(ctx context.Context, timeout time.Duration, service cluster.ServiceID) error {
	err := w.c.poll(ctx, timeout, func(ctx context.Context) (bool, error) {
		if err := w.look(ctx); client.NotFound(err) {
			return true, nil
		} else if err != nil {
			return false, err
		}
		return !slices.ContainsFunc(w.status.Services, func(s api.Service) bool {
			return service == "" || s.Service == string(service)
		}), nil
	})
	if errors.Is(err, errTimedOut) {
		return &exitStatus{exitUnhealthy, fmt.Errorf("%s is not gone after %s; see: muster ps -a %s", w.stack, timeout, w.stack)}
	}
	return w.c.detached(err, "the removal goes on; see: muster ps -a "+w.stack)
}

// look fetches the stack and prints what changed.
func (w *watch) look(ctx context.Context) error {
	status, err := w.cl.Stack(ctx, w.stack)
	if err != nil {
		return err
	}
	w.status = status
	width := 0
	for _, t := range status.Tasks {
		width = max(width, len(slotName(t)))
	}
	for _, t := range status.Tasks {
		line := taskLine(t)
		if w.seen[t.ID] == line {
			continue
		}
		w.seen[t.ID] = line
		w.c.printf("%-*s  %s", width, slotName(t), line)
	}
	return nil
}

// taskLine is a task's state and why, in one line.
func taskLine(t api.Task) string {
	line := fmt.Sprintf("%-9s", t.State)
	if t.Node != "" {
		line += "  " + t.Node
	}
	if t.State == string(cluster.StateRunning) || t.State == string(cluster.StateStarting) {
		return line
	}
	if why := cause(t); why != "" {
		line += "  " + why
	}
	return line
}

// expect has the watch look for what becomes of the generations that a write made.
func (w *watch) expect(done api.Deployed) {
	for _, s := range done.Services {
		if s.Action != "removed" {
			w.expected[qualified(done.Stack, s.Service)] = s.Generation
		}
	}
}

// refuted says which update was paused, or had been rolled back and is over.
func (w *watch) refuted() error {
	for _, s := range w.status.Services {
		made, ok := w.expected[s.Service]
		switch {
		case !ok:
		case s.Rollout.State == "paused":
			return fmt.Errorf("the update of %s to generation %d is paused: %s; deploy again or see: muster ps %s", s.Service, made, s.Rollout.Reason, s.Service)
		case s.Generation < made && s.Rollout.State == api.RolledBack && s.Rollout.From == made:
			return fmt.Errorf("%s was rolled back from generation %d to %d: %s; see: muster ps -a %s", s.Service, made, s.Generation, s.Rollout.Reason, s.Service)
		}
	}
	return nil
}

// steadyLooks is how many more looks must find the stack settled where that
// rests on tasks without a health check: many programs that fail do so at once.
const steadyLooks = 5

// settled reports whether the stack runs as it should, and not for a moment only.
func (w *watch) settled() bool {
	if !w.status.Settled {
		w.steady = 0
		return false
	}
	w.steady++
	return w.steady > steadyLooks || !slices.ContainsFunc(w.status.Tasks, func(t api.Task) bool {
		return t.State == string(cluster.StateRunning) && t.Health == "" && !w.before[t.ID]
	})
}

// endedLooks is how many looks in a row must find every missing service ended
// before it is taken as final: a replacement may be on its way.
const endedLooks = 25

// final reports whether nothing of the stack can change by itself any more:
// every service is either in full or has only ended tasks.
func (w *watch) final() bool {
	lacking := w.lacking()
	if len(lacking) == 0 || slices.ContainsFunc(lacking, func(s api.Service) bool { return !w.over(s) }) {
		w.ended = 0
		return false
	}
	w.ended++
	return w.ended >= endedLooks
}

// lacking are the services that do not have all of their tasks running in the
// present generation.
func (w *watch) lacking() []api.Service {
	return slices.DeleteFunc(slices.Clone(w.status.Services), func(s api.Service) bool {
		return s.Removing || w.running(s) >= s.Desired
	})
}

func (w *watch) running(s api.Service) int {
	n := 0
	for _, t := range w.tasksOf(s) {
		if t.State == string(cluster.StateRunning) && t.Desired == string(cluster.Running) {
			n++
		}
	}
	return n
}

// over reports whether the service has tasks and all have ended.
func (w *watch) over(s api.Service) bool {
	tasks := w.tasksOf(s)
	return len(tasks) > 0 && !slices.ContainsFunc(tasks, func(t api.Task) bool { return !over(t.State) })
}

// failed reports whether a task of the service's present generation has failed.
func (w *watch) failed(s api.Service) bool {
	return slices.ContainsFunc(w.tasksOf(s), func(t api.Task) bool { return t.State == string(cluster.StateFailed) })
}

// tasksOf are the tasks of a service's present generation.
func (w *watch) tasksOf(s api.Service) []api.Task {
	return slices.DeleteFunc(slices.Clone(w.status.Tasks), func(t api.Task) bool {
		return t.Service != s.Service || t.Generation != s.Generation
	})
}

func (w *watch) summary() {
	running := 0
	for _, s := range w.status.Services {
		running += w.running(s)
	}
	w.c.printf("%s: %s, %s running (%s)", w.stack, plural(len(w.status.Services), "service"), plural(running, "task"),
		w.c.Now().Sub(w.started).Round(100*time.Millisecond))
}
