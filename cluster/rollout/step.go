package rollout

import (
	"fmt"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// Options are what Step needs besides the state.
type Options struct {
	// Quarantine names the nodes that take no new task until the given time
	// although the state says that they are ready.
	Quarantine map[cluster.NodeID]time.Time
	// LossRate is how many tasks of lost nodes are replaced a second, all
	// services together; 0 sets no limit.
	LossRate int
	// MoveRate is how many tasks begin to leave nodes a minute because they are
	// asked to, all services together; 0 sets no limit.
	MoveRate int
	// Stay names tasks that do not begin to leave their nodes although they are
	// asked to, because no other node takes them.
	Stay map[cluster.TaskID]bool
}

// Step judges the updates that are under way, compares what exists with what the
// services ask for, and returns the tasks to create, unplaced, and to stop. wake is when to step again if nothing
// changes before; zero means never. newID must give IDs that grow.
func Step(view state.View, now time.Time, newID func() cluster.TaskID, opts Options) (out state.Reconcile, wake time.Time) {
	p := newPass(view, now, newID, opts)
	p.countLosses()
	for s := range p.view.Services() {
		p.decide(s, (*work).decide)
	}
	return p.out, p.wake
}

// pass is one call of Step.
type pass struct {
	view  state.View
	now   time.Time
	newID func() cluster.TaskID
	opts  Options

	nodes  map[cluster.NodeID]*cluster.Node // of view, which every task asks for
	judges bool                             // every voter knows verdicts
	losses int                              // replacements made within the last second
	first  time.Time                        // when the first of them was; now if there is none
	moves  *moves                           // begun within the last minute; nil: not counted yet
	tasks  []*cluster.Task                  // room for those of the service at hand
	out    state.Reconcile
	wake   time.Time
}

func newPass(view state.View, now time.Time, newID func() cluster.TaskID, opts Options) *pass {
	p := &pass{view: view, now: now, newID: newID, opts: opts, first: now, nodes: make(map[cluster.NodeID]*cluster.Node, view.NodeCount())}
	for n := range view.Nodes() {
		p.nodes[n.ID] = n
	}
	version, _ := view.Commands()
	p.judges = version >= verdictsSince
	return p
}

// decide runs one service's decision. If that panics, the service is set aside
// and the leader decides on for the others.
func (p *pass) decide(s *cluster.Service, with func(*work) error) {
	creates, stops := len(p.out.Create), len(p.out.Stop)
	setAside := func(reason string) {
		p.out.Create, p.out.Stop = p.out.Create[:creates], p.out.Stop[:stops]
		p.out.SetAside = append(p.out.SetAside, state.SetAside{Service: s.ID, Reason: reason})
	}
	defer func() {
		if r := recover(); r != nil {
			setAside(fmt.Sprintf("deciding what tasks it needs failed: %v", r))
		}
	}()
	switch w := newWork(p, s); {
	case s.Removing:
		w.remove()
	case s.SetAside == "":
		if err := with(w); err != nil {
			setAside(err.Error())
		}
	}
}

func (p *pass) wakeAt(at time.Time) {
	if at.After(p.now) && (p.wake.IsZero() || at.Before(p.wake)) {
		p.wake = at
	}
}

// countLosses finds how much of the last second's LossRate is used. Tasks that
// replace others for other reasons count too: they use the same hosts. IDs begin
// with the time of creation, so that the first task that is older ends the search.
// Those of a leader whose clock was ahead count nothing until their time comes.
func (p *pass) countLosses() {
	if p.opts.LossRate <= 0 {
		return
	}
	for t := range p.view.NewestTasks() {
		age := p.now.Sub(t.Created)
		if age >= time.Second {
			return
		}
		if t.Replaces != "" && age >= 0 {
			p.losses++
			if t.Created.Before(p.first) {
				p.first = t.Created
			}
		}
	}
}

// mayReplaceLost takes one from the LossRate. Where that is used up, the next is
// due once the first of the last second is older.
func (p *pass) mayReplaceLost() bool {
	if p.opts.LossRate > 0 && p.losses >= p.opts.LossRate {
		p.wakeAt(p.first.Add(time.Second))
		return false
	}
	p.losses++
	return true
}

// live reports whether the task is wanted and not over.
func live(t *cluster.Task) bool { return t.Desired == cluster.Running && !t.Ended() }

// gone reports whether the task's node has left the cluster.
func (p *pass) gone(t *cluster.Task) bool { return t.Node != "" && p.condition(t.Node) == "" }

// condition is "" for a node that has left.
func (p *pass) condition(id cluster.NodeID) cluster.Condition {
	if n, ok := p.nodes[id]; ok {
		return n.Condition
	}
	return ""
}

// lost reports whether the task's node is down or has left.
func (p *pass) lost(t *cluster.Task) bool {
	if t.Node == "" {
		return false
	}
	c := p.condition(t.Node)
	return c == cluster.Down || c == ""
}

// over reports whether nothing of the task can be running where anybody sees
// it, given that it is wanted no more.
func (p *pass) over(t *cluster.Task) bool { return t.Ended() || t.Node == "" || p.lost(t) }

// ready reports whether the task does its work, as far as the leader can know.
func (p *pass) ready(t *cluster.Task) bool {
	return t.Ready() && p.condition(t.Node) == cluster.Ready
}

func (p *pass) drained(t *cluster.Task) bool {
	n, ok := p.nodes[t.Node]
	return ok && n.Availability == cluster.Drained
}

// takesNew reports whether the node may be given a task.
func (p *pass) takesNew(id cluster.NodeID) bool {
	n, ok := p.nodes[id]
	return ok && n.Unschedulable() == "" && !p.opts.Quarantine[id].After(p.now)
}

func (p *pass) nodeName(id cluster.NodeID) string {
	if n, ok := p.nodes[id]; ok {
		return n.Name
	}
	return string(id)
}
