package controller

import (
	"context"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/cluster/usage"
	"github.com/musterhq/muster/placement"
)

// measured writes down what a node measured of its host and its tasks. A node
// can speak of its own tasks only. c.mu is held.
func (c *Controller) measured(node cluster.NodeID, use api.TasksUse) {
	v := c.cfg.Store.View()
	var tasks []usage.Sample
	for _, u := range use.Tasks {
		if t, ok := v.Task(u.Task); ok && t.Node == node {
			tasks = append(tasks, usage.Sample{Slot: slotOf(t), Used: resources(u.Usage)})
		}
	}
	used := resources(use.Host)
	if n, ok := v.Node(node); ok {
		used = within(used, tasks, resources(use.Machine).Sub(n.Capacity))
	}
	c.book.Add(time.Now(), node, used, tasks)
}

// within is what a host uses of what it offers. Of what is not ours as much is
// left out as the machine has beyond that: it is there for such things.
func within(used cluster.Resources, ours []usage.Sample, kept cluster.Resources) cluster.Resources {
	other := used
	for _, s := range ours {
		other = other.Sub(s.Used)
	}
	part := func(other, kept int64) int64 { return max(min(other, kept), 0) }
	return used.Sub(cluster.Resources{MilliCPU: part(other.MilliCPU, kept.MilliCPU), Memory: part(other.Memory, kept.Memory)})
}

// history is a book, or what was recorded of one.
type history interface {
	Used(id cluster.NodeID, now time.Time) (r cluster.Resources, at time.Time, ok bool)
	Other(id cluster.NodeID, now time.Time) (r cluster.Resources, ok bool)
	Demand(s usage.Slot) cluster.Resources
}

// usageOf is what the book says of the nodes of a view. A task that is not in the
// newest measurement counts as using what it is likely to.
func usageOf(book history, v state.View, now time.Time) map[cluster.NodeID]placement.Usage {
	out := map[cluster.NodeID]placement.Usage{}
	for n := range v.Nodes() {
		used, at, ok := book.Used(n.ID, now)
		if !ok {
			continue
		}
		expected, _ := book.Other(n.ID, now)
		for t := range v.TasksOn(n.ID) {
			if !t.Holds() {
				continue
			}
			likely := larger(t.Resources, book.Demand(slotOf(t)))
			expected = expected.Add(likely)
			if t.Observed.Phase != cluster.PhaseRunning || t.Observed.Started.After(at) {
				used = used.Add(likely)
			}
		}
		out[n.ID] = placement.Usage{Used: used, Expected: expected}
	}
	return out
}

func larger(a, b cluster.Resources) cluster.Resources {
	return cluster.Resources{MilliCPU: max(a.MilliCPU, b.MilliCPU), Memory: max(a.Memory, b.Memory)}
}

// slotOf is where the task's history is kept.
func slotOf(t *cluster.Task) usage.Slot {
	return usage.Slot{Service: t.Service, Slot: t.Slot, Node: t.Pinned}
}

func resources(u api.Usage) cluster.Resources {
	return cluster.Resources{MilliCPU: u.MilliCPU, Memory: u.Memory}
}

// retainEvery is the pace of dropping histories that nobody asks for any more.
const retainEvery = 10 * time.Minute

// retain drops the histories of services and nodes that are gone.
func (l *loop) retain(context.Context) time.Duration {
	v := l.cfg.Store.View()
	l.mu.Lock()
	defer l.mu.Unlock()
	there := func(id cluster.NodeID) bool { return v.Condition(id) != "" }
	l.book.Retain(func(id cluster.ServiceID) bool { _, ok := v.Service(id); return ok }, there)
	l.stock.retain(there)
	return retainEvery
}
