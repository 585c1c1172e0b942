package worker

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/musterhq/muster/cluster"
)

// Pauses between reports that were not accepted, and the deadline of one.
const (
	firstRetry     = 100 * time.Millisecond
	lastRetry      = 2 * time.Second
	reportDeadline = 10 * time.Second
)

// A host whose containers crash in a loop must not fill the log: so many
// reports go out at once, then one in each interval, with all that came about
// meanwhile.
const (
	reportBurst = 30
	reportEvery = 100 * time.Millisecond
)

// reporter sends observations that the leader has not accepted yet: at once
// when none is on its way, else what has become of them meanwhile, in one go.
type reporter struct {
	send   func(context.Context, []Observation) error
	log    *slog.Logger
	news   chan struct{} // holds a token when something may have to be sent
	urgent chan struct{} // holds a token when a retry shall not wait

	// free is when the next report may go if those before it had gone evenly.
	free time.Time

	mu       sync.Mutex
	latest   map[cluster.TaskID]cluster.Observed
	accepted map[cluster.TaskID]cluster.Observed
}

func newReporter(send func(context.Context, []Observation) error, log *slog.Logger) *reporter {
	return &reporter{
		send: send, log: log,
		news: make(chan struct{}, 1), urgent: make(chan struct{}, 1),
		latest: map[cluster.TaskID]cluster.Observed{}, accepted: map[cluster.TaskID]cluster.Observed{},
	}
}

// offer replaces what there is to report. Of a task that was not offered before
// the cluster knows nothing: a new agent reports everything once.
func (r *reporter) offer(all []Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
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
	r.latest = latest
	signal(r.news)
}

// resend forgets what was accepted, and sends at once.
func (r *reporter) resend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.accepted)
	signal(r.urgent)
	signal(r.news)
}

// pending returns what is not accepted yet, in the order of the tasks' IDs.
func (r *reporter) pending() []Observation {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Observation
	for id, o := range r.latest {
		if a, ok := r.accepted[id]; !ok || !same(a, o) {
			out = append(out, Observation{Task: id, Observed: o})
		}
	}
	slices.SortFunc(out, func(a, b Observation) int { return cmp.Compare(a.Task, b.Task) })
	return out
}

func (r *reporter) accept(sent []Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range sent {
		if _, ok := r.latest[o.Task]; ok {
			r.accepted[o.Task] = o.Observed
		}
	}
}

// run sends until ctx ends.
func (r *reporter) run(ctx context.Context) {
	for {
		select {
		case <-r.news:
		case <-ctx.Done():
			return
		}
		r.flush(ctx)
	}
}

// flush sends what is pending until all of it is accepted or ctx ends.
func (r *reporter) flush(ctx context.Context) {
	pause := firstRetry
	for batch := r.pending(); len(batch) > 0; batch = r.pending() {
		if ahead := r.ahead(time.Now()); ahead > 0 {
			select {
			case <-time.After(ahead):
				continue // with what came about meanwhile
			case <-ctx.Done():
				return
			}
		}
		r.free = later(r.free, time.Now()).Add(reportEvery)
		err := r.try(ctx, batch)
		if err == nil {
			r.accept(batch)
			pause = firstRetry
			continue
		}
		if ctx.Err() != nil {
			return
		}
		r.log.Debug("observations were not accepted", "tasks", len(batch), "retry_in", pause, "error", err)
		select {
		case <-time.After(pause):
			pause = min(2*pause, lastRetry)
		case <-r.urgent:
			pause = firstRetry
		case <-ctx.Done():
			return
		}
	}
}

// ahead is how long to wait until another report may go.
func (r *reporter) ahead(now time.Time) time.Duration {
	return later(r.free, now).Sub(now) - (reportBurst-1)*reportEvery
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (r *reporter) try(ctx context.Context, batch []Observation) error {
	ctx, cancel := context.WithTimeout(ctx, reportDeadline)
	defer cancel()
	return r.send(ctx, batch)
}

// signal puts a token into c unless it holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// same compares observations; times by their instant.
func same(a, b cluster.Observed) bool {
	return a.Phase == b.Phase && a.Health == b.Health && a.Restarts == b.Restarts && a.ExitCode == b.ExitCode &&
		a.ContainerID == b.ContainerID && a.Address == b.Address && slices.Equal(a.Ports, b.Ports) &&
		a.Error == b.Error && a.Final == b.Final && a.NoImage == b.NoImage && a.Started.Equal(b.Started) && a.Finished.Equal(b.Finished)
}
