package controller

import (
	"context"
	"maps"
	"runtime/debug"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/health"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/cluster/usage"
	"github.com/musterhq/muster/placement"
)

// Pauses after what did not take.
const (
	proposeTimeout = 5 * time.Second
	refusedPause   = 200 * time.Millisecond // from the second refusal in a row
	failedPause    = 500 * time.Millisecond
	barrierPause   = 100 * time.Millisecond
)

// lookAgain is when tasks that found no node are looked at again although the
// state is as before: what is measured changes without a word.
const lookAgain = usage.Every

// decider is Decide.
type decider func(v state.View, f Facts, now time.Time, newID func() cluster.TaskID) Decision

// loop is one term of leadership.
type loop struct {
	*Controller
	ctx     context.Context
	watcher Watcher
	caught  chan struct{} // closed when the Barrier has passed; nil once that was noticed
	ids     *ulid.MonotonicEntropy
	jobs    sync.WaitGroup

	// rest is when to decide again after decisions that did not take. Nodes are
	// watched and dialled meanwhile.
	rest    time.Time
	refused int // decisions in a row of which a part was refused
	round   round
}

// passBarrier waits beside the loop, which probes silent nodes meanwhile, until
// the view is the leader's.
func (l *loop) passBarrier() {
	l.jobs.Go(func() {
		for {
			err := l.cfg.Store.Barrier(l.ctx)
			if l.ctx.Err() != nil {
				return
			}
			if err == nil {
				close(l.caught)
				return
			}
			l.cfg.Logger.Warn("the new leader could not catch up yet", "error", err)
			select {
			case <-l.ctx.Done():
				return
			case <-time.After(barrierPause):
			}
		}
	})
}

// step looks at everything once and acts; it returns when to look again.
func (l *loop) step() (next time.Time) {
	changes, all := l.watcher.Changes() // before the view, which then holds them
	v := l.cfg.Store.View()
	l.noteChanges(v, changes, all)
	now := time.Now()
	verdict := l.judge(v, now)
	for _, p := range verdict.Probe {
		l.probe(v, p)
	}
	switch {
	case l.caught != nil:
		return verdict.Wake
	case now.Before(l.rest):
		return earliest(verdict.Wake, l.rest)
	}
	d, rest := l.decision(v, verdict, now)
	again := l.round.note(v.Index(), &d)
	if !d.Empty() {
		rest = max(rest, l.propose(now, d))
	} else if rest == 0 {
		if again {
			d.Wake = now
		}
		if d.Waiting {
			d.Wake = earliest(d.Wake, now.Add(lookAgain))
		}
		return earliest(verdict.Wake, d.Wake)
	}
	l.rest = time.Now().Add(rest)
	return earliest(verdict.Wake, l.rest)
}

// decision runs the pure step. A panic in it must not take the leader down, nor
// hide that a node is down: the verdicts go alone then.
func (l *loop) decision(v state.View, verdict health.Verdict, now time.Time) (d Decision, rest time.Duration) {
	defer func() {
		if p := recover(); p != nil {
			l.cfg.Logger.Error("a decision failed", "panic", p, "stack", string(debug.Stack()))
			d, rest = Decision{Reconcile: state.Reconcile{Conditions: verdict.Conditions}}, failedPause
		}
	}()
	// One time for all IDs of a decision: a clock that is set back must not
	// break their order.
	ms := ulid.Timestamp(now)
	newID := func() cluster.TaskID { return cluster.TaskID(ulid.MustNew(ms, l.ids).String()) }
	measured := func(v state.View) map[cluster.NodeID]placement.Usage {
		l.mu.Lock()
		defer l.mu.Unlock()
		return usageOf(l.book, v, now)
	}
	return l.decide(v, Facts{Conditions: verdict.Conditions, Quarantine: verdict.Quarantine, Usage: measured, Images: l.images, Resume: l.round.next(v.Index())}, now, newID), 0
}

// propose commits a decision and says how long to rest after it.
func (l *loop) propose(now time.Time, d Decision) (rest time.Duration) {
	ctx, cancel := context.WithTimeout(l.ctx, proposeTimeout)
	defer cancel()
	version, _ := l.cfg.Store.View().Commands()
	res, err := l.cfg.Store.Propose(ctx, state.Command{At: now, Body: state.Trim(portion(d.Reconcile, maxPortion), version)})
	switch {
	case err != nil:
		l.round.stop()
		if l.ctx.Err() == nil {
			l.cfg.Logger.Warn("a decision was not committed", "error", err)
		}
		return failedPause
	case res.Err != nil:
		l.round.stop()
		l.cfg.Logger.Error("a decision was refused", "error", res.Err)
		return failedPause
	case len(res.Refused) == 0:
		l.refused = 0
		return 0
	}
	l.cfg.Logger.Debug("parts of a decision were stale", "refused", len(res.Refused), "first", res.Refused[0].Reason)
	if l.refused++; l.refused > 1 {
		return refusedPause
	}
	return 0
}

// judge steps the failure detector and publishes what people see of it.
func (l *loop) judge(v state.View, now time.Time) health.Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	verdict := l.tracker.Step(v.Nodes(), now)
	suspects, silent := map[cluster.NodeID]bool{}, map[cluster.NodeID]bool{}
	for _, s := range verdict.Suspect {
		suspects[s.Node], silent[s.Node] = true, true
	}
	for n := range v.Nodes() {
		if n.Condition != cluster.Ready {
			silent[n.ID] = true
		}
	}
	l.suspects, l.silent, l.held = suspects, silent, verdict.Quarantine
	maps.DeleteFunc(l.heard, func(id cluster.NodeID, _ api.Heartbeat) bool { return v.Condition(id) == "" })
	return verdict
}

// noteChanges remembers at which index each node's tasks changed last.
func (l *loop) noteChanges(v state.View, changes []state.Change, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if all {
		for n := range v.Nodes() {
			l.touched[n.ID] = v.Index()
		}
		return
	}
	for _, ch := range changes {
		if ch.Topic == state.TopicTask && ch.Node != "" {
			l.touched[ch.Node] = v.Index()
		}
	}
}

// wait blocks until something happened or the given time; zero means no time.
func (l *loop) wait(until time.Time) {
	var timer <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-l.ctx.Done():
	case <-l.watcher.C():
	case <-l.wake:
	case <-timer:
	case <-l.caught:
		l.leads()
	}
}

// leads starts what needs the newest view, once the Barrier has passed.
func (l *loop) leads() {
	l.caught = nil
	l.jobs.Go(func() { upkeep(l.ctx, l.chores()) })
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
