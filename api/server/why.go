package server

import (
	"cmp"
	"slices"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// maxPlacings bounds for how many tasks of a service it is looked where they
// could be.
const maxPlacings = 5

// whyTask says why a task is where it is.
func whyTask(c *call) (any, error) {
	p := c.present()
	t, err := findTask(p.view, c.r.PathValue("task"))
	if err != nil {
		return nil, err
	}
	return api.Why{Task: p.task(t), Kept: t.Why, Now: c.Leader.Why(p.view, []*cluster.Task{t})[0], Stale: c.stale}, nil
}

// whyService says it of a service's tasks.
func whyService(c *call) (any, error) {
	p := c.present()
	s, err := findService(p.view, c.serviceID())
	if err != nil {
		return nil, err
	}
	out := api.ServiceWhy{Service: string(s.ID), Problem: s.SetAside, Tasks: []api.Why{}, Stale: c.stale}
	var tasks []*cluster.Task
	for t := range p.view.TasksOf(s.ID) {
		if t.Desired == cluster.Running && !t.Ended() {
			tasks = append(tasks, t)
		}
	}
	slices.SortStableFunc(tasks, func(a, b *cluster.Task) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Slot, b.Slot))
	})
	look := unlike(tasks)
	now := c.Leader.Why(p.view, look)
	for _, t := range tasks {
		w := api.Why{Task: p.task(t), Kept: t.Why, Stale: c.stale}
		if i := slices.Index(look, t); i >= 0 {
			w.Now = now[i]
		}
		out.Tasks = append(out.Tasks, w)
	}
	return out, nil
}

// rank puts those that wait first.
func rank(t *cluster.Task) int {
	if t.Node == "" {
		return 0
	}
	return 1
}

// unlike are tasks that wait for different reasons, or else the first.
func unlike(tasks []*cluster.Task) []*cluster.Task {
	type kind struct {
		generation uint64
		pinned     cluster.NodeID
		reason     string
	}
	known := map[kind]bool{}
	var out []*cluster.Task
	for _, t := range tasks {
		k := kind{t.Generation, t.Pinned, t.Reason}
		if len(out) > 0 && t.Node != "" || len(out) == maxPlacings {
			break
		}
		if !known[k] {
			known[k] = true
			out = append(out, t)
		}
	}
	return out
}
