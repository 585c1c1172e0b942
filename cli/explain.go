package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cluster"
)

// reportFailures shows, once a service, the first failure of one of its tasks
// with what the task last said.
func (w *watch) reportFailures(ctx context.Context) {
	for _, s := range w.lacking() {
		if w.explained[s.Service] {
			continue
		}
		i := slices.IndexFunc(w.tasksOf(s), func(t api.Task) bool { return severity(t) == worst })
		if i >= 0 {
			w.explained[s.Service] = true
			w.explain(ctx, w.tasksOf(s)[i])
		}
	}
}

// unhealthy says of each service that is not in full what holds it up.
func (w *watch) unhealthy(ctx context.Context, when string) error {
	const shown = 5
	lacking := w.lacking()
	for i, s := range lacking {
		if i == shown {
			w.c.notef("... and %s more", plural(len(lacking)-shown, "service"))
			break
		}
		tasks := w.tasksOf(s)
		if len(tasks) == 0 {
			w.c.notef("%s has no task yet: %s", s.Service, orNone(s.Problem))
			continue
		}
		w.explain(ctx, slices.MaxFunc(tasks, func(a, b api.Task) int { return severity(a) - severity(b) }))
	}
	what := plural(len(lacking), "service") + " not in full"
	if len(lacking) == 0 {
		what = "an earlier generation is still there"
	}
	return &exitStatus{exitUnhealthy, fmt.Errorf("%s is not healthy %s: %s; what was deployed stays; see: muster ps %s", w.stack, when, what, w.stack)}
}

// worst is the severity of a task that was started and did not hold.
const worst = 3

// severity ranks tasks by how much they explain.
func severity(t api.Task) int {
	switch cluster.State(t.State) {
	case cluster.StateFailed, cluster.StateBackoff, cluster.StateUnhealthy:
		return worst
	case cluster.StatePending, cluster.StateLost:
		return 2
	case cluster.StateRunning, cluster.StateComplete, cluster.StateStopped:
		return 0
	}
	return 1
}

// explain says why a task does not run, what it last said, and what to type next.
func (w *watch) explain(ctx context.Context, t api.Task) {
	where := ""
	if t.Node != "" {
		where = " on " + t.Node
	}
	why := cause(t)
	if why != "" {
		why = ": " + why
	}
	w.c.notef("%s%s is %s%s", slotName(t), where, t.State, why)
	lines := w.lastLines(ctx, t)
	for _, line := range lines {
		w.c.notef("  | %s", paint.Printable(line))
	}
	w.c.notef("  next: %s", nextStep(t, len(lines) > 0))
}

func nextStep(t api.Task, spoke bool) string {
	switch {
	case t.State == string(cluster.StatePending) || t.State == string(cluster.StateLost):
		return "muster node ls"
	case spoke:
		return "muster logs " + slotName(t)
	}
	return "muster inspect " + slotName(t)
}

// lastLines are the last ones of a task's output, none where they cannot be read.
func (w *watch) lastLines(ctx context.Context, t api.Task) []string {
	if severity(t) < worst && t.State != string(cluster.StateStarting) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	const tail = 10
	var out []string
	for line, err := range w.cl.Logs(ctx, client.LogQuery{Task: t.ID, Tail: tail}) {
		if err != nil {
			break
		}
		if line.Stream != "error" {
			out = append(out, line.Line)
		}
	}
	return out[max(0, len(out)-tail):]
}
