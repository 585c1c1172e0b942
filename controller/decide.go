package controller

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/rollout"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement"
)

// lossRate is how many tasks of lost nodes are replaced a second, so that the
// loss of many hosts at once does not overwhelm the rest.
const lossRate = 200

// Decision is what the leader proposes next.
type Decision struct {
	state.Reconcile
	// Wake is when to decide again if nothing changes before; zero: never.
	Wake time.Time
	// Waiting: tasks found no node.
	Waiting bool
	// Resume is the first task that this decision did not come to; "" where it
	// came to all.
	Resume cluster.TaskID
}

// Facts are what the leader knows besides the state: a new leader begins without
// them.
type Facts struct {
	// Conditions are the changes that health found.
	Conditions []state.NodeCondition
	// Quarantine names the nodes that take no new task until the given time.
	Quarantine map[cluster.NodeID]time.Time
	// Usage is what was measured of a view's nodes; nil: nothing was. It is asked
	// only when a task needs a node, and gives the same for the same view.
	Usage func(state.View) map[cluster.NodeID]placement.Usage
	// Images is where images are, by their hashes; nil: nobody said.
	Images func(hashes map[string]bool) map[string]placement.Image
	// Demand is what a task is likely to use; nil: nothing was measured.
	Demand func(*cluster.Task) cluster.Resources
	// Resume is that of the decision before: the tasks that come before it in the
	// queue had their turn.
	Resume cluster.TaskID
	// Visits bounds how many nodes are looked at for tasks that need one; 0: the
	// usual number.
	Visits int
}

// Decide is the leader's whole decision as a pure function: the facts are taken
// as given, rollout says what should exist, placement says where, and all of it
// becomes one command. newID must give IDs in ascending order.
func Decide(v state.View, f Facts, now time.Time, newID func() cluster.TaskID) Decision {
	return moving(v, f, now, func(stay map[cluster.TaskID]bool) Decision { return decide(v, f, now, newID, stay) })
}

// decide is Decide where some tasks do not begin to leave their nodes.
func decide(v state.View, f Facts, now time.Time, newID func() cluster.TaskID, stay map[cluster.TaskID]bool) Decision {
	scratch := v.Fork()
	apply := func(r state.Reconcile) state.View {
		scratch.Apply(v.Index()+1, state.Command{At: now, Body: r})
		return scratch.View()
	}
	judged := v
	if len(f.Conditions) > 0 {
		judged = apply(state.Reconcile{Conditions: f.Conditions})
	}
	what, wake := rollout.Step(judged, now, newID, rollout.Options{Quarantine: f.Quarantine, LossRate: lossRate, MoveRate: moveRate, Stay: stay})
	d := Decision{Reconcile: what, Wake: wake}
	d.Conditions = slices.Concat(f.Conditions, what.Conditions)

	wanted := judged
	if !what.Empty() {
		wanted = apply(what)
	}
	ready, waiting := inTurn(wanted, pending(wanted))
	reqs := from(inOrder(wanted, directed(wanted, ready, now)), f.Resume)
	if len(reqs) == 0 {
		d.merge(wanted, placement.Plan{Pending: waiting})
		return d
	}
	plan := placement.PlaceWithin(cmp.Or(f.Visits, nodeVisits), f.snapshot(wanted, reqs, now), reqs, seed(reqs))
	plan.Pending = append(plan.Pending, waiting...)
	if plan.Left > 0 {
		d.Resume = reqs[len(reqs)-plan.Left].Task
	}
	d.merge(wanted, plan)
	d.Waiting = len(plan.Pending) > 0
	return d
}

// snapshot is what placement has to know of a view to answer the requests.
func (f *Facts) snapshot(v state.View, reqs []placement.Request, now time.Time) placement.Snapshot {
	s := placement.FromView(v, quarantined(f.Quarantine, now))
	s = s.Failed(failedLately(v, reqs, now))
	if f.Usage != nil {
		s = s.Measured(f.Usage(v))
	}
	if f.Images != nil {
		s = s.Images(f.Images(hashesOf(reqs)))
	}
	return s
}

// pending are the tasks that wait for a node, oldest first.
func pending(v state.View) []placement.Request {
	var out []placement.Request
	for t := range v.Unplaced() {
		if t.Desired != cluster.Running {
			continue
		}
		s, ok := v.Service(t.Service)
		if !ok || s.Removing || s.SetAside != "" {
			continue
		}
		if tpl, ok := s.Template(t.Generation); ok {
			out = append(out, placement.RequestOf(t, s, tpl))
		}
	}
	return out
}

// merge puts the places into the tasks that this decision creates, and assigns
// or explains those that were pending before.
func (d *Decision) merge(v state.View, plan placement.Plan) {
	created := make(map[cluster.TaskID]*cluster.Task, len(d.Create))
	for i := range d.Create {
		created[d.Create[i].ID] = &d.Create[i]
	}
	for _, c := range plan.Assign {
		if t, ok := created[c.Task]; ok {
			t.Node, t.Why, t.Devices = c.Node, c.Text(), c.Devices
			continue
		}
		if t, ok := v.Task(c.Task); ok {
			d.Assign = append(d.Assign, state.Assign{Task: c.Task, Generation: t.Generation, Node: c.Node, Why: c.Text(), Devices: c.Devices})
		}
	}
	for _, p := range plan.Pending {
		if t, ok := created[p.Task]; ok {
			t.Reason = p.Reason
			continue
		}
		if t, ok := v.Task(p.Task); ok && t.Reason != p.Reason {
			d.Explain = append(d.Explain, state.Explain{Task: p.Task, Reason: p.Reason})
		}
	}
	for _, e := range plan.Evict {
		if _, fresh := created[e.For]; !fresh { // which the command could not check
			d.evict(v, e)
		}
	}
	d.SetAside = append(d.SetAside, plan.SetAside...)
}

// evict stops a task whose place another one needs, unless its service changes
// meanwhile or the other needs it no more.
func (d *Decision) evict(v state.View, e placement.Eviction) {
	victim, _ := v.Task(e.Task)
	by, _ := v.Task(e.For)
	s, _ := v.Service(by.Service)
	stop := state.StopTask{
		Task: e.Task, By: e.For,
		Reason: fmt.Sprintf("preempted by %s (priority %d)", by.Service, s.Spec.Placement.Rank()),
	}
	if s, ok := v.Service(victim.Service); ok {
		stop.Seen = s.Updated
	}
	d.Stop = append(d.Stop, stop)
}

func quarantined(until map[cluster.NodeID]time.Time, now time.Time) map[cluster.NodeID]bool {
	out := map[cluster.NodeID]bool{}
	for id, t := range until {
		if now.Before(t) {
			out[id] = true
		}
	}
	return out
}

// seed makes tie-breaks differ between decisions but not between replays.
func seed(reqs []placement.Request) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(reqs[0].Task))
	return h.Sum64()
}
