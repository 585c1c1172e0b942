package controller

import (
	"context"
	"crypto/rand"
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

// Controller leads. Its soft state (heartbeats, usage, suspicion) is empty
// while the node does not lead.
type Controller struct {
	cfg    Config
	wake   chan struct{} // something came in that the loop should look at
	decide decider

	mu       sync.Mutex
	tracker  *health.Tracker                  // nil while not leading
	heard    map[cluster.NodeID]api.Heartbeat // the last of each node
	suspects map[cluster.NodeID]bool
	touched  map[cluster.NodeID]uint64    // newest index at which a node's tasks changed
	silent   map[cluster.NodeID]bool      // nodes whose heartbeat is news
	standby  map[cluster.NodeID][]string  // images that nodes may need
	held     map[cluster.NodeID]time.Time // nodes in quarantine, and until when
	book     *usage.Book                  // what tasks and hosts used
	stock    *stock                       // where images are
	weights  api.Weights                  // of nodes, for the balancers
}

// New makes a controller.
func New(cfg Config) *Controller {
	return &Controller{cfg: cfg, wake: make(chan struct{}, 1), decide: Decide}
}

func (c *Controller) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Heartbeat takes in a node's sign of life and answers the newest index at which
// something changed for the node. It is ignored while this node does not lead.
func (c *Controller) Heartbeat(h api.Heartbeat) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tracker == nil {
		return 0
	}
	c.tracker.Heartbeat(h.Node, time.Now())
	c.tracker.Blind(h.Node, h.Blind)
	if h.Tasks != nil {
		c.measured(h.Node, *h.Tasks)
		h.Tasks = nil
	}
	if h.Images != nil {
		c.stock.put(h.Node, *h.Images)
		h.Images = nil
	}
	c.heard[h.Node] = h
	if c.silent[h.Node] {
		c.poke()
	}
	return c.touched[h.Node]
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

// Facts are what the leader goes by now, for whoever asks what it would decide;
// nobody who does not lead knows any, nor does a nil Controller.
func (c *Controller) Facts() Facts {
	if c == nil {
		return Facts{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.book == nil {
		return Facts{}
	}
	book, now := c.book.Copy(), time.Now()
	return Facts{
		Quarantine: c.held,
		Usage:      func(v state.View) map[cluster.NodeID]placement.Usage { return usageOf(book, v, now) },
		Images:     c.images,
		Demand:     func(t *cluster.Task) cluster.Resources { return book.Demand(slotOf(t)) },
	}
}

// Usage is what a node measured last; ok is false when it could not, or was not
// heard of.
func (c *Controller) Usage(node cluster.NodeID) (u api.Usage, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.heard[node]; h.Usage != nil {
		return *h.Usage, true
	}
	return api.Usage{}, false
}

// Problems are what a node said last of its own troubles.
func (c *Controller) Problems(node cluster.NodeID) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard[node].Problems
}

// vote is what a node said last of its part in the log; nil where it has none, or
// says nothing of it.
func (c *Controller) vote(node cluster.NodeID) *api.Vote {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard[node].Vote
}

// Lead runs the leader's loop until ctx ends, which is when leadership does.
func (c *Controller) Lead(ctx context.Context) {
	c.begin()
	defer c.end()
	l := &loop{Controller: c, ctx: ctx, caught: make(chan struct{}), watcher: c.cfg.Store.Watch(), ids: ulid.Monotonic(rand.Reader, 0)}
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
	c.heard, c.touched = map[cluster.NodeID]api.Heartbeat{}, map[cluster.NodeID]uint64{}
	c.suspects, c.silent = map[cluster.NodeID]bool{}, map[cluster.NodeID]bool{}
	c.book, c.stock = usage.NewBook(), newStock()
}

func (c *Controller) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tracker, c.heard, c.touched, c.suspects, c.silent, c.standby = nil, nil, nil, nil, nil, nil
	c.held, c.book, c.stock, c.weights = nil, nil, nil, api.Weights{}
}
