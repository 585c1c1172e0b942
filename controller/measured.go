package controller

import (
	"context"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/usage"
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
	c.book.Add(time.Now(), node, resources(use.Host), tasks)
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
	l.book.Retain(
		func(id cluster.ServiceID) bool { _, ok := v.Service(id); return ok },
		func(id cluster.NodeID) bool { return v.Condition(id) != "" },
	)
	return retainEvery
}
