package sim

import (
	"fmt"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/integration/invariants"
)

// What the failure detector promises, with what messages and commits take.
const (
	answersFor   = 3 * time.Second  // a host that answers for so long is alive
	agentTimeout = 55 * time.Second // silence of an agent whose host answers
	deadWithin   = 5 * time.Second  // after which a dead host is down
	massWithin   = 14 * time.Second // the same, when many are silent together
	leaderWithin = 15 * time.Second // that voters who could elect a leader have one
)

// connectivity notes who is linked with the leader, and with anybody, after that
// may have changed.
func (c *watch) connectivity() {
	l := c.w.raft.leader
	for _, h := range c.w.hosts {
		linked := l != nil && c.w.linked(l, h)
		if linked != h.linked {
			h.linked, h.changed = linked, c.w.now
		}
		if silent := !h.power || h.isolated || h.frozen; silent != h.silent {
			h.silent, h.silentAt = silent, c.w.now
		}
	}
}

// judged checks verdicts when they are made: a host that answers the leader, and
// whose agent was heard of within a minute, is not dead.
func (c *watch) judged(v state.View, verdicts []state.NodeCondition) {
	for _, n := range verdicts {
		h := c.w.host(n.Node)
		if h == nil {
			continue
		}
		answers, beat := c.w.now-h.changed, c.w.now-h.lastBeat
		if n.Condition == cluster.Down && v.Condition(n.Node) != cluster.Down && h.linked && answers > answersFor && beat < agentTimeout-c.w.clockSpread() {
			c.w.fail(invariants.Violation{Rule: invariants.FalseDown, Detail: fmt.Sprintf(
				"node %s is called down, and its host answers for %s and sent a heartbeat %s ago", n.Node, answers, beat)})
		}
	}
}

// clockSpread is by how much the hosts' clocks differ. Since when a node is away
// is the time of the leader that found it so: one whose clock is ahead of that
// waits for the agent that much less.
func (w *World) clockSpread() time.Duration {
	first, last := w.hosts[0].skew, w.hosts[0].skew
	for _, h := range w.hosts {
		first, last = min(first, h.skew), max(last, h.skew)
	}
	return last - first
}

// lateness checks what must have been done by now under a leader that could.
func (c *watch) lateness() {
	w := c.w
	if !w.raft.commits() {
		c.able = -1
		c.leaderless()
		return
	}
	c.electable = -1
	if c.able < 0 {
		c.able = w.now
	}
	able := w.now - c.able
	if able < deadWithin {
		return
	}
	v := w.raft.newest()
	w.failAll(invariants.Refilled(v, w.raft.leader.clock()))
	silent := 0
	for _, h := range w.hosts {
		// Those just lost count, too, and those who are only just back: the leader
		// has yet to hear of them, and holds its verdicts until then.
		back := h.linked && w.now-h.changed < answersFor
		if !h.linked || back || v.Condition(h.id) == cluster.Down {
			silent++
		}
	}
	within := deadWithin
	if 2*silent >= len(w.hosts) {
		within = massWithin
	}
	for _, h := range w.hosts {
		if _, known := v.Node(h.id); !known {
			continue
		}
		if h.silent && h != w.raft.leader && min(able, w.now-h.silentAt) > within && v.Condition(h.id) != cluster.Down {
			w.fail(invariants.Violation{Rule: invariants.LateDown, Detail: fmt.Sprintf(
				"node %s is %s, and its host is dead since %s", h.id, v.Condition(h.id), w.now-h.silentAt)})
		}
	}
}

// leaderless is called while no leader commits: voters of whom a majority reach
// each other must have one before long.
func (c *watch) leaderless() {
	w := c.w
	switch {
	case len(w.raft.candidates()) == 0:
		c.electable = -1
	case c.electable < 0:
		c.electable = w.now
	case w.now-c.electable > leaderWithin:
		w.fail(invariants.Violation{Rule: invariants.NoLeader, Detail: fmt.Sprintf(
			"a majority of the voters could elect a leader since %s, and nobody commits", w.now-c.electable)})
	}
}

// commits reports whether the leader has caught up and a majority of the voters
// takes entries.
func (r *raft) commits() bool {
	if r.leader == nil || !r.leader.awake() || !r.leader.agent.caught() || r.leader.replica.stuck {
		return false
	}
	votes := 0
	for _, v := range r.voters {
		if r.w.reaches(r.leader, v) && !v.replica.stuck {
			votes++
		}
	}
	return 2*votes > len(r.voters)
}
