package rollout

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// globalSeats are the nodes that the service runs on, in slot order. A node
// keeps its slot as long as any of its tasks is remembered; a new one gets the
// smallest that is free. Tasks elsewhere stop.
func (w *work) globalSeats() ([]*seat, error) {
	constraints, err := cluster.ParseConstraints(w.svc.Spec.Template.Constraints)
	if err != nil {
		return nil, fmt.Errorf("its constraints cannot be read: %w", err)
	}
	all, byNode := make([]seat, 0, len(w.nodes)), make(map[cluster.NodeID]*seat, len(w.nodes))
	for n := range w.view.Nodes() {
		if n.Availability != cluster.Drained && mismatch(n, constraints) == nil {
			all = append(all, seat{pin: n.ID})
			byNode[n.ID] = &all[len(all)-1]
		}
	}
	for i, t := range w.tasks {
		if s, ok := byNode[w.home(t)]; ok {
			w.give(s, i)
		} else if t.Desired == cluster.Running {
			w.stop(t, w.whySurplus(t, constraints)).Drained = w.drained(t)
		}
	}
	return w.inSlotOrder(byNode, w.rememberedSlots(byNode)), nil
}

// home is the node whose seat the task belongs to. A task from the time when
// the service was replicated belongs where it runs, if it held its slot or was
// ready to take it over.
func (w *work) home(t *cluster.Task) cluster.NodeID {
	if t.Pinned != "" {
		return t.Pinned
	}
	if prev, ok := w.view.Task(t.Replaces); ok && live(prev) && !w.ready(t) || !live(t) && w.over(t) {
		return ""
	}
	return t.Node
}

// rememberedSlots gives the seats the slots of their tasks, live ones first,
// and returns the slots that no other seat may have. The slot of a node that
// has no task now, because it is drained for example, is kept for it.
func (w *work) rememberedSlots(byNode map[cluster.NodeID]*seat) map[int]bool {
	used := make(map[int]bool, len(w.tasks))
	claim := func(t *cluster.Task) {
		if s, ok := byNode[w.home(t)]; ok && s.slot == 0 && !used[t.Slot] {
			s.slot = t.Slot
		}
	}
	for _, t := range w.tasks {
		if live(t) {
			claim(t)
			used[t.Slot] = true
		}
	}
	for _, t := range w.tasks {
		if _, there := w.nodes[t.Pinned]; there {
			claim(t)
			used[t.Slot] = true
		}
	}
	return used
}

// inSlotOrder gives slots to the seats that have none and can be filled.
func (w *work) inSlotOrder(byNode map[cluster.NodeID]*seat, used map[int]bool) []*seat {
	seats := make([]*seat, 0, len(byNode))
	next := 1
	for n := range w.view.Nodes() {
		s, ok := byNode[n.ID]
		barred := w.svc.Spec.Placement.Bars(n) != ""
		if !ok || len(s.tasks) == 0 && (barred || !w.takesNew(n.ID)) {
			continue
		}
		if s.slot == 0 {
			for used[next] {
				next++
			}
			s.slot, used[next] = next, true
		}
		seats = append(seats, s)
	}
	slices.SortStableFunc(seats, func(a, b *seat) int { return cmp.Compare(a.slot, b.slot) })
	return seats
}

// unwanted says why a global service has no task on the node, whatever its
// condition.
func unwanted(n *cluster.Node, constraints []cluster.Constraint) string {
	if n.Availability == cluster.Drained {
		return fmt.Sprintf("node %s is drained", n.Name)
	}
	if c := mismatch(n, constraints); c != nil {
		return fmt.Sprintf("node %s does not match %s any more", n.Name, c)
	}
	return ""
}

// mismatch is the first of the constraints that the node does not match; nil: none.
func mismatch(n *cluster.Node, constraints []cluster.Constraint) *cluster.Constraint {
	for i := range constraints {
		if !constraints[i].Matches(n) {
			return &constraints[i]
		}
	}
	return nil
}

func (w *work) whySurplus(t *cluster.Task, constraints []cluster.Constraint) string {
	n, ok := w.view.Node(t.Pinned)
	switch {
	case t.Pinned == "":
		return w.whyMove(t)
	case !ok:
		return "its node was removed"
	}
	return unwanted(n, constraints)
}
