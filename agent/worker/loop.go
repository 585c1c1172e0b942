package worker

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// Paces of the loop.
const (
	resyncEvery     = 5 * time.Second
	resyncDown      = time.Second // while the engine does not answer
	followAgain     = time.Second
	tidyEvery       = time.Minute
	looksAtOnce     = 4
	networkDeadline = 2 * time.Minute
)

// loop owns the worker's state. Everything that touches it runs in run's
// goroutine; the goroutines that wait for the engine post what they learned.
type loop struct {
	w       *Worker
	inbox   chan func()
	running sync.WaitGroup // goroutines of actions, looks and lists

	memory   Memory
	inFlight map[string]underway
	engineUp bool
	engine   error // why not
	kept     Set   // epoch and index of the set on disk
	lasting  int   // what of the observations had to go with it

	listing, listAgain bool
	resyncAt, tidyAt   time.Time
	looking            map[string]bool // container ID to whether to look again
	looks              chan struct{}   // a token for each look under way
}

// underway is an action that is being applied.
type underway struct {
	action Action
	since  time.Time
}

func newLoop(w *Worker) *loop {
	return &loop{
		w: w, inbox: make(chan func()),
		inFlight: map[string]underway{}, looking: map[string]bool{}, looks: make(chan struct{}, looksAtOnce),
	}
}

// run plans and waits for news until ctx ends.
func (l *loop) run(ctx context.Context) {
	l.resync(ctx)
	l.tidyAt = time.Now().Add(tidyEvery)
	var news <-chan struct{}
	if l.w.config.Prober != nil {
		news = l.w.config.Prober.News()
	}
	for ctx.Err() == nil {
		wake := l.step(ctx)
		timer := time.NewTimer(time.Until(wake))
		select {
		case f := <-l.inbox:
			f()
			l.drain()
		case <-l.w.changed:
		case <-news:
		case <-timer.C:
			l.onTime(ctx)
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// drain takes what else is posted, so that one plan serves a burst.
func (l *loop) drain() {
	for {
		select {
		case f := <-l.inbox:
			f()
		default:
			return
		}
	}
}

// onTime does what is due by the clock.
func (l *loop) onTime(ctx context.Context) {
	now := time.Now()
	if !now.Before(l.resyncAt) {
		l.resync(ctx)
	}
	if !now.Before(l.tidyAt) {
		l.tidyAt = now.Add(tidyEvery)
		l.tidy(ctx)
	}
}

// step plans, begins the actions, publishes, and returns when to wake up.
func (l *loop) step(ctx context.Context) time.Time {
	set, known := l.w.current()
	inFlight := make(map[string]Flight, len(l.inFlight))
	for key, u := range l.inFlight {
		inFlight[key] = Flight{Kind: u.action.Kind, Since: u.since}
	}
	actual := l.w.view.containers()
	d := Plan(Input{
		Now: time.Now(), Address: l.w.config.Address,
		Assigned: set, Known: known, Actual: actual, EngineUp: l.engineUp, Verdicts: l.verdicts(actual),
		Memory: l.memory, Served: l.w.servedBy(), InFlight: inFlight, Limits: l.w.config.Limits,
	})
	l.memory = d.Memory
	for _, a := range d.Actions {
		l.begin(ctx, a)
	}
	if l.w.config.Prober != nil {
		l.w.config.Prober.Watch(d.Checks)
	}
	l.publish(set, known, d)
	wake := l.resyncAt
	for _, t := range []time.Time{d.Wake, l.tidyAt} {
		if !t.IsZero() && t.Before(wake) {
			wake = t
		}
	}
	return wake
}

// verdicts are those of the node's own checks on what runs.
func (l *loop) verdicts(actual []runtime.Container) map[string]Verdict {
	out := map[string]Verdict{}
	for i := range actual {
		c := &actual[i]
		if l.w.config.Prober == nil || !runs(c) {
			continue
		}
		if v, ok := l.w.config.Prober.Verdict(c.ID, c.Started); ok {
			out[c.ID] = v
		}
	}
	return out
}

// begin applies an action in a goroutine of its own; Plan keeps to the limits.
func (l *loop) begin(ctx context.Context, a Action) {
	l.inFlight[a.Key()] = underway{action: a, since: time.Now()}
	log := l.w.log.With("action", a.Kind, "task", a.Task, "container", a.Container)
	log.Info("acting on a container", "reason", a.Reason)
	l.running.Go(func() {
		s, err := l.w.apply(ctx, a)
		if err != nil && ctx.Err() == nil {
			log.Warn("the action failed", "error", err)
		}
		l.post(ctx, func() {
			delete(l.inFlight, a.Key())
			if s.id != "" {
				l.w.view.saw(s)
			}
			l.memory.Settle(a, err, time.Now())
			if a.Kind != Fetch && (err != nil || s.id == "") {
				l.resync(ctx)
			}
		})
	})
}

// countLasting counts what must be on disk for the next agent: the tasks that
// are over for good or unhealthy, and the restarts, which are counted over all of
// a task's life.
func countLasting(all []Observation) int {
	n := 0
	for _, o := range all {
		n += o.Observed.Restarts
		if o.Observed.Final || o.Observed.Health == cluster.HealthUnhealthy {
			n++
		}
	}
	return n
}

// post hands f to the loop's goroutine, unless that has ended.
func (l *loop) post(ctx context.Context, f func()) {
	select {
	case l.inbox <- f:
	case <-ctx.Done():
	}
}

// publish makes the decision visible to the leader and to this process.
func (l *loop) publish(set Set, known bool, d Decision) {
	l.w.reporter.offer(d.Observed)
	if lasting := countLasting(d.Observed); known && (lasting != l.lasting || set.Newer(l.kept)) {
		l.kept, l.lasting = Set{Epoch: set.Epoch, Index: set.Index}, lasting
		l.w.keeper.keep(set.with(d.Observed))
	}
	s := Snapshot{
		Epoch: set.Epoch, Index: set.Index, EngineUp: l.engineUp,
		Observed: d.Observed, Containers: l.w.view.containers(),
	}
	if l.engine != nil {
		s.EngineError = l.engine.Error()
	}
	for _, key := range slices.Sorted(maps.Keys(l.inFlight)) {
		s.Actions = append(s.Actions, l.inFlight[key].action)
	}
	if l.w.keepSnapshot(s, d.Leaving) && l.w.config.Hurry != nil {
		l.w.config.Hurry()
	}
}

// resync lists all containers; a list that is under way is followed by another.
func (l *loop) resync(ctx context.Context) {
	if l.listing {
		l.listAgain, l.resyncAt = true, time.Now().Add(resyncEvery)
		return
	}
	l.listing, l.listAgain = true, false
	l.resyncAt = time.Now().Add(resyncEvery + lookDeadline)
	l.running.Go(func() {
		inner, cancel := context.WithTimeout(ctx, lookDeadline)
		defer cancel()
		at := l.w.view.begin()
		all, err := l.w.config.Engine.List(inner, l.w.config.Host.ClusterID)
		l.post(ctx, func() { l.listed(ctx, at, all, err) })
	})
}

func (l *loop) listed(ctx context.Context, at uint64, all []runtime.Container, err error) {
	l.listing = false
	if err == nil {
		l.w.view.listed(at, all)
		l.resyncAt = time.Now().Add(resyncEvery)
	} else {
		l.resyncAt = time.Now().Add(resyncDown)
	}
	switch up := err == nil; {
	case !up && (l.engineUp || l.engine == nil):
		l.w.log.Warn("the engine does not answer; containers are left as they are", "error", err)
	case up && l.engine != nil:
		l.w.log.Info("the engine answers again")
	}
	l.engineUp, l.engine = err == nil, err
	if l.listAgain && err == nil {
		l.resync(ctx)
	}
}

// follow turns the engine's events into looks until ctx ends. A stream that
// begins is followed by a list, for what was missed before.
func (l *loop) follow(ctx context.Context) {
	for ctx.Err() == nil {
		events, err := l.w.config.Engine.Events(ctx, l.w.config.Host.ClusterID)
		if err == nil {
			l.post(ctx, func() { l.resync(ctx) })
			for e := range events {
				l.post(ctx, func() { l.hint(ctx, e) })
			}
		}
		select {
		case <-time.After(followAgain):
		case <-ctx.Done():
		}
	}
}

// hint looks at the container of an event. The start of one that we start, or
// that is known to run, is no news.
func (l *loop) hint(ctx context.Context, e runtime.Event) {
	_, busy := l.inFlight[taskKey(cluster.TaskID(e.Labels[runtime.LabelTask]))]
	if known := l.w.view.seen[e.ContainerID].c.Status; e.Action == "start" && (busy || known == runtime.StatusRunning) {
		return
	}
	l.lookAt(ctx, e.ContainerID)
}

// lookAt inspects a container, once more when it is asked again meanwhile.
func (l *loop) lookAt(ctx context.Context, id string) {
	if _, under := l.looking[id]; under {
		l.looking[id] = true
		return
	}
	l.looking[id] = false
	l.running.Go(func() {
		select {
		case l.looks <- struct{}{}:
			defer func() { <-l.looks }()
		case <-ctx.Done():
			return
		}
		s, err := l.w.look(ctx, id)
		l.post(ctx, func() {
			again := l.looking[id]
			delete(l.looking, id)
			if err == nil {
				l.w.view.saw(s)
			}
			if again {
				l.lookAt(ctx, id)
			}
		})
	})
}

// tidy removes networks that no task of this host is in.
func (l *loop) tidy(ctx context.Context) {
	set, known := l.w.current()
	if !known || !l.engineUp {
		return
	}
	keep := set.networkNames()
	l.running.Go(func() {
		inner, cancel := context.WithTimeout(ctx, networkDeadline)
		defer cancel()
		if err := l.w.config.Engine.RemoveNetworks(inner, l.w.config.Host.ClusterID, keep); err != nil && ctx.Err() == nil {
			l.w.log.Debug("networks that nobody needs were not removed", "error", err)
		}
	})
}
