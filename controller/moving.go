package controller

import (
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement"
)

const (
	// moveRate is how many tasks begin to leave their nodes a minute because they
	// are asked to: what they come to has to pull images and warm up.
	moveRate = 20
	// moveTries is how often a decision is made anew without the moves that found
	// no place, before it is made without any.
	moveTries = 3
)

// directed has those requests whose tasks follow one that is to leave its node
// say so.
func directed(v state.View, reqs []placement.Request, now time.Time) []placement.Request {
	for i := range reqs {
		r := &reqs[i]
		prev, ok := v.Task(r.Replaces)
		if ok && prev.Leave.Until.After(now) {
			r.Leaves, r.Goes = prev.Node, prev.Leave.To
			r.Back = prev.Desired == cluster.Stopped || prev.Generation != r.Generation // that is there for more than the move
		}
	}
	return reqs
}

// moving makes a decision in which a task begins to leave its node only if another
// takes it: until then it is left in peace.
func moving(v state.View, f Facts, now time.Time, decide func(stay map[cluster.TaskID]bool) Decision) Decision {
	stay := map[cluster.TaskID]bool{}
	for range moveTries {
		d := decide(stay)
		stuck := stuck(v, f, &d, now)
		if len(stuck) == 0 {
			d.withdraw(v, now)
			return d
		}
		for _, id := range stuck {
			stay[id] = true
		}
	}
	for t := range v.Tasks() {
		if t.Leaving(now) {
			stay[t.ID] = true
		}
	}
	d := decide(stay)
	d.withdraw(v, now)
	return d
}

// withdraw stops tasks that were to take over from others that could as well stay,
// and lost their places to something else before they had them.
func (d *Decision) withdraw(v state.View, now time.Time) {
	if len(d.Explain) == 0 && !d.Waiting {
		return
	}
	settled := map[cluster.TaskID]bool{}
	for _, a := range d.Assign {
		settled[a.Task] = true
	}
	for _, s := range d.Stop {
		settled[s.Task] = true
	}
	for t := range v.Unplaced() {
		prev, ok := v.Task(t.Replaces)
		if !ok || t.Desired != cluster.Running || settled[t.ID] || settled[prev.ID] || !d.spares(v, prev, t, now) {
			continue
		}
		if s, ok := v.Service(t.Service); ok {
			d.Stop = append(d.Stop, state.StopTask{Task: t.ID, Reason: "withdrawn: no other node takes it", Seen: s.Updated, Idle: true})
			d.Explain = slices.DeleteFunc(d.Explain, func(e state.Explain) bool { return e.Task == t.ID })
		}
	}
}

// spares reports whether a task follows another for nothing but its wish to leave.
func (d *Decision) spares(v state.View, prev, t *cluster.Task, now time.Time) bool {
	if !prev.Leaving(now) || prev.Desired != cluster.Running || prev.Generation != t.Generation {
		return false
	}
	n, ok := v.Node(prev.Node)
	if !ok || n.Availability == cluster.Drained || n.Condition == cluster.Down {
		return false
	}
	return !slices.ContainsFunc(d.Conditions, func(c state.NodeCondition) bool { return c.Node == n.ID && c.Condition == cluster.Down })
}

// stuck are the tasks that begin to leave their nodes by the decision, and that no
// other node takes.
func stuck(v state.View, f Facts, d *Decision, now time.Time) []cluster.TaskID {
	var out []cluster.TaskID
	for i := range d.Create {
		t := &d.Create[i]
		prev, ok := v.Task(t.Replaces)
		if ok && t.Node == "" && d.spares(v, prev, t, now) {
			out = append(out, prev.ID)
		}
	}
	for i := range d.Stop {
		if s := &d.Stop[i]; s.Leaving && !elsewhere(v, f, s.Task, now) {
			out = append(out, s.Task)
		}
	}
	return out
}

// elsewhere reports whether another node takes the task, which stops before it is
// there.
func elsewhere(v state.View, f Facts, id cluster.TaskID, now time.Time) bool {
	t, ok := v.Task(id)
	if !ok {
		return false
	}
	s, ok := v.Service(t.Service)
	if !ok {
		return false
	}
	tpl, ok := s.Template(t.Generation)
	if !ok {
		return false
	}
	r := placement.RequestOf(t, s, tpl)
	r.Replaces, r.Leaves = id, t.Node
	reqs := []placement.Request{r}
	plan := placement.Place(f.snapshot(v, reqs, now), reqs, 0)
	return len(plan.Assign) == 1
}
