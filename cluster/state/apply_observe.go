package state

import "github.com/musterhq/muster/cluster"

// apply takes in what a node's agent saw. A task that has ended stays ended,
// whatever a late report says, and a node speaks of its own tasks only.
func (c Observe) apply(tx *tx) error {
	for _, o := range c.Tasks {
		old, ok := tx.tasks.get(string(o.Task))
		if !ok || old.Node != c.Node || old.Ended() || equal(old.Observed, o.Observed) {
			continue
		}
		t := *old
		t.Observed = o.Observed
		if c.Marks {
			tx.mark(old, &t)
		}
		before, after := cluster.TaskState(old, cluster.Ready), cluster.TaskState(&t, cluster.Ready)
		tx.putTask(&t)
		if before != after || old.Observed.Restarts != t.Observed.Restarts {
			e := taskEvent(&t, string(after), t.Observed.Error)
			if c.Repeats && t.Observed.Restarts > 0 {
				tx.repeat(e)
			} else {
				tx.event(e)
			}
		}
		if t.Ended() {
			tx.retain(t.Service, t.Slot)
		}
	}
	return nil
}
