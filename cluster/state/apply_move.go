package state

import (
	"fmt"

	"github.com/musterhq/muster/cluster"
)

func (c Move) apply(tx *tx) error {
	asked := map[cluster.TaskID]bool{}
	services := c.Services
	for _, m := range c.Tasks {
		asked[m.Task] = true
		if t, ok := tx.tasks.get(string(m.Task)); ok {
			services = append(services[:len(services):len(services)], t.Service)
		}
	}
	for _, id := range services {
		for _, t := range tx.tasksOf(id) {
			if t.Leaving(tx.now) && !asked[t.ID] {
				tx.letStay(t)
			}
		}
	}
	for _, m := range c.Tasks {
		tx.move(m, c.Note)
	}
	return nil
}

// letStay ends the wish that a task leaves its node.
func (tx *tx) letStay(old *cluster.Task) {
	t := *old
	t.Leave.Until = tx.now
	tx.putTask(&t)
	tx.event(taskEvent(&t, "staying", "it is not to leave its node any more"))
}

func (tx *tx) move(m MoveTask, note cluster.Note) {
	old, ok := tx.tasks.get(string(m.Task))
	if why := tx.unmovable(m, old, ok); why != "" {
		tx.refuse(m.Task, "since its task was to move, %s", why)
		return
	}
	t := *old
	t.Leave = cluster.Leave{Reason: asked(note), To: m.To, At: tx.now, Until: tx.now.Add(cluster.MoveWithin)}
	if m.Why != "" {
		t.Leave.Reason = fmt.Sprintf("%s, %s", m.Why, t.Leave.Reason)
	}
	tx.putTask(&t)
	tx.event(taskEvent(&t, "leaving", t.Leave.Reason))
}

// unmovable says what of the move's grounds holds no more, or "".
func (tx *tx) unmovable(m MoveTask, t *cluster.Task, ok bool) string {
	switch {
	case !ok || t.Desired != cluster.Running || t.Ended():
		return "it is wanted no more"
	case t.Pinned != "":
		return "it is bound to its node"
	case t.Node != m.From:
		return "it is on another node"
	case m.To == "":
		return ""
	case m.To == m.From:
		return "it is there already"
	}
	n, ok := tx.nodes.get(string(m.To))
	if !ok {
		return fmt.Sprintf("node %s has left", m.To)
	}
	if why := n.Unschedulable(); why != "" {
		return fmt.Sprintf("node %s takes no task: %s", n.Name, why)
	}
	return ""
}
