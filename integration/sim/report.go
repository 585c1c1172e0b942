package sim

import (
	"cmp"
	"slices"
	"time"

	"github.com/musterhq/muster/agent/worker"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// reporter sends observations that the leader has not accepted yet, as
// agent/worker/report.go does.
type reporter struct {
	a        *agent
	latest   map[cluster.TaskID]cluster.Observed
	accepted map[cluster.TaskID]cluster.Observed
	clean    bool // nothing was pending, and nothing has changed since
	sending  bool // a batch is on its way, or its retry waits
	waiting  bool
	pause    time.Duration
	retry    alarm
}

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 2 * time.Second
)

func newReporter(a *agent) *reporter {
	return &reporter{
		a: a, pause: firstRetry,
		latest: map[cluster.TaskID]cluster.Observed{}, accepted: map[cluster.TaskID]cluster.Observed{},
	}
}

// offer replaces what there is to report; a new agent reports everything once.
func (r *reporter) offer(all []worker.Observation) {
	latest := make(map[cluster.TaskID]cluster.Observed, len(all))
	for _, o := range all {
		latest[o.Task] = o.Observed
		if _, offered := r.latest[o.Task]; !offered {
			r.accepted[o.Task] = cluster.Observed{}
		}
	}
	for id := range r.accepted {
		if _, ok := latest[id]; !ok {
			delete(r.accepted, id)
		}
	}
	r.latest, r.clean = latest, false
	r.flush()
}

// resend forgets what was accepted.
func (r *reporter) resend() {
	clear(r.accepted)
	r.pause, r.clean = firstRetry, false
	if r.waiting {
		r.retry.stop()
		r.sending, r.waiting = false, false
	}
	r.flush()
}

func (r *reporter) pending() []worker.Observation {
	if r.clean {
		return nil
	}
	var out []worker.Observation
	for id, o := range r.latest {
		if a, ok := r.accepted[id]; !ok || !sameObserved(a, o) {
			out = append(out, worker.Observation{Task: id, Observed: o})
		}
	}
	slices.SortFunc(out, func(a, b worker.Observation) int { return cmp.Compare(a.Task, b.Task) })
	r.clean = len(out) == 0
	return out
}

func (r *reporter) flush() {
	if r.sending {
		return
	}
	batch := r.pending()
	if len(batch) == 0 {
		return
	}
	body := state.Observe{Node: r.a.h.id, Marks: true}
	for _, o := range batch {
		body.Tasks = append(body.Tasks, state.TaskObserved(o))
		body.Repeats = body.Repeats || o.Observed.Restarts > 0
	}
	r.sending = true
	r.a.call(body, "", func(_ state.Result, err error) { r.sent(batch, err) })
}

func (r *reporter) sent(batch []worker.Observation, err error) {
	if err != nil {
		r.waiting = true
		r.retry.in(r.pause, r.a.after, func() {
			r.sending, r.waiting = false, false
			r.flush()
		})
		r.pause = min(2*r.pause, lastRetry)
		return
	}
	r.sending, r.pause, r.clean = false, firstRetry, false
	for _, o := range batch {
		if _, ok := r.latest[o.Task]; ok {
			r.accepted[o.Task] = o.Observed
		}
	}
	r.flush()
}

// sameObserved compares observations; times by their instant.
func sameObserved(a, b cluster.Observed) bool {
	return a.Phase == b.Phase && a.Health == b.Health && a.Restarts == b.Restarts && a.ExitCode == b.ExitCode &&
		a.ContainerID == b.ContainerID && a.Address == b.Address && slices.Equal(a.Ports, b.Ports) &&
		a.Error == b.Error && a.Final == b.Final && a.Started.Equal(b.Started) && a.Finished.Equal(b.Finished)
}
