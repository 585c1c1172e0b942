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
	byNode := map[cluster.NodeID]*seat{}
	for n := range w.view.Nodes() {
		if why := unwanted(n, constraints); why == "" {
			byNode[n.ID] = &seat{pin: n.ID}
		}
	}
	for _, t := range w.tasks {
		if s, ok := byNode[w.home(t)]; ok {
			s.tasks = append(s.tasks, t)
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
	used := map[int]bool{}
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
		if _, there := w.view.Node(t.Pinned); there {
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
	for _, c := range constraints {
		if !c.Matches(n) {
			return fmt.Sprintf("node %s does not match %s any more", n.Name, c)
		}
	}
	return ""
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
