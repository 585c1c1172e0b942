package controller

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/health"
	"github.com/musterhq/muster/cluster/state"
)

// Pauses after a decision that did not take.
const (
	proposeTimeout = 5 * time.Second
	refusedPause   = 200 * time.Millisecond
	failedPause    = 500 * time.Millisecond
)

// Controller leads. Its soft state (heartbeats, usage, suspicion) is empty
// while the node does not lead.
type Controller struct {
	cfg  Config
	wake chan struct{} // something came in that the loop should look at

	mu       sync.Mutex
	tracker  *health.Tracker // nil while not leading
	usage    map[cluster.NodeID]api.Usage
	suspects map[cluster.NodeID]bool
	touched  map[cluster.NodeID]uint64 // newest index at which a node's tasks changed
	silent   map[cluster.NodeID]bool   // nodes whose heartbeat is news
}

// New makes a controller.
func New(cfg Config) *Controller {
	return &Controller{cfg: cfg, wake: make(chan struct{}, 1)}
}

func (c *Controller) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Heartbeat takes in a node's sign of life and answers the newest index at which
// something changed for the node. It is ignored while this node does not lead.
func (c *Controller) Heartbeat(node cluster.NodeID, usage *api.Usage) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tracker == nil {
		return 0
	}
	c.tracker.Heartbeat(node, time.Now())
	if usage != nil {
		c.usage[node] = *usage
	}
	if c.silent[node] {
		c.poke()
	}
	return c.touched[node]
}

// GossipDead passes on gossip's word that a node is dead.
func (c *Controller) GossipDead(node cluster.NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tracker != nil {
		c.tracker.GossipDead(node, time.Now())
		c.poke()
	}
}

// Suspects are nodes that are silent but not judged.
func (c *Controller) Suspects() map[cluster.NodeID]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.suspects
}

// Usage is what a node measured last.
func (c *Controller) Usage(node cluster.NodeID) (api.Usage, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u, ok := c.usage[node]
	return u, ok
}

// Lead runs the leader's loop until ctx ends, which is when leadership does.
func (c *Controller) Lead(ctx context.Context) {
	c.begin()
	defer c.end()
	l := &loop{Controller: c, ctx: ctx, barrier: make(chan error, 1), watcher: c.cfg.Store.Watch(), ids: ulid.Monotonic(rand.Reader, 0)}
	defer l.watcher.Close()
	defer l.jobs.Wait()
	l.passBarrier()
	for ctx.Err() == nil {
		l.wait(l.step())
	}
}

func (c *Controller) begin() {
	evidence := c.cfg.Evidence()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tracker = health.New(c.cfg.Health, c.cfg.Self, time.Now(), evidence)
	c.usage, c.touched = map[cluster.NodeID]api.Usage{}, map[cluster.NodeID]uint64{}
	c.suspects, c.silent = map[cluster.NodeID]bool{}, map[cluster.NodeID]bool{}
}

func (c *Controller) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tracker, c.usage, c.touched, c.suspects, c.silent = nil, nil, nil, nil, nil
}

// loop is one term of leadership.
type loop struct {
	*Controller
	ctx     context.Context
	watcher Watcher
	barrier chan error
	caught  bool // the Barrier has passed: the view is the leader's
	voting  bool // the voters' loop runs
	ids     *ulid.MonotonicEntropy
	jobs    sync.WaitGroup
}

// passBarrier waits beside the loop, which probes silent nodes meanwhile.
func (l *loop) passBarrier() {
	l.jobs.Go(func() { l.barrier <- l.cfg.Store.Barrier(l.ctx) })
}

// step looks at everything once and acts; it returns when to look again.
func (l *loop) step() (next time.Time) {
	now := time.Now()
	v := l.cfg.Store.View()
	l.noteChanges(v)
	verdict := l.judge(v, now)
	for _, p := range verdict.Probe {
		l.probe(v, p)
	}
	if !l.caught {
		return verdict.Wake
	}
	d, err := l.decide(v, verdict, now)
	if err != nil {
		l.cfg.Logger.Error("a decision failed", "error", err)
		return now.Add(failedPause)
	}
	if d.Empty() {
		return earliest(verdict.Wake, d.Wake)
	}
	return l.propose(now, d)
}

// propose commits a decision. The commit itself wakes the loop again.
func (l *loop) propose(now time.Time, d Decision) (next time.Time) {
	ctx, cancel := context.WithTimeout(l.ctx, proposeTimeout)
	defer cancel()
	res, err := l.cfg.Store.Propose(ctx, state.Command{At: now, Body: d.Reconcile})
	switch {
	case err != nil:
		if l.ctx.Err() == nil {
			l.cfg.Logger.Warn("a decision was not committed", "error", err)
		}
		return time.Now().Add(failedPause)
	case res.Err != nil:
		l.cfg.Logger.Error("a decision was refused", "error", res.Err)
		return time.Now().Add(failedPause)
	case len(res.Refused) > 0:
		l.cfg.Logger.Debug("parts of a decision were stale", "refused", len(res.Refused), "first", res.Refused[0].Reason)
		return time.Now().Add(refusedPause)
	}
	return time.Now()
}

// decide runs the pure step. A panic in it must not take the leader down.
func (l *loop) decide(v state.View, verdict health.Verdict, now time.Time) (d Decision, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return Decide(v, verdict.Conditions, verdict.Quarantine, now, l.newID), nil
}

func (l *loop) newID() cluster.TaskID {
	return cluster.TaskID(ulid.MustNew(ulid.Now(), l.ids).String())
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
	l.suspects, l.silent = suspects, silent
	return verdict
}

// noteChanges remembers at which index each node's tasks changed last.
func (l *loop) noteChanges(v state.View) {
	list, all := l.watcher.Changes()
	l.mu.Lock()
	defer l.mu.Unlock()
	if all {
		for n := range v.Nodes() {
			l.touched[n.ID] = v.Index()
		}
		return
	}
	for _, ch := range list {
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
	case err := <-l.barrier:
		l.leads(err)
	}
}

// leads starts what needs the newest view, once the Barrier has passed.
func (l *loop) leads(err error) {
	if err != nil {
		if l.ctx.Err() == nil {
			l.cfg.Logger.Warn("the new leader could not catch up yet", "error", err)
			l.passBarrier()
		}
		return
	}
	l.caught = true
	if !l.voting && l.cfg.Voters != nil {
		l.voting = true
		l.jobs.Go(func() { l.keepVoters(l.ctx) })
	}
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
