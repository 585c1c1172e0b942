package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// Foresee says what would be different after a scenario, and how much the cluster
// would survive then.
func Foresee(ctx context.Context, v state.View, f Facts, s Scenario) (api.Simulation, error) {
	sim, err := simulateAll(ctx, v, f, s)
	if err != nil {
		return api.Simulation{}, err
	}
	after := sim.View()
	out := compare(v, after)
	out.Victims = sim.victims
	if out.Survival, err = Survives(ctx, after, f); err != nil {
		return out, err
	}
	for i, id := range out.Survival.Critical {
		out.Survival.Critical[i] = nodeName(after, cluster.NodeID(id))
	}
	return out, nil
}

// compare says what of a view would be different.
func compare(before, after state.View) api.Simulation {
	out := api.Simulation{Changes: []api.SlotChange{}, Pending: []api.PendingSlot{}, Nodes: []api.HostLoad{}}
	old, next := seats(before), seats(after)
	for _, t := range homeless(after, next) {
		reason := t.Reason
		if t.Node != "" {
			reason = fmt.Sprintf("its node %s is down", nodeName(after, t.Node))
		}
		out.Pending = append(out.Pending, api.PendingSlot{Service: string(t.Service), Slot: t.Slot, Reason: reason})
	}
	for s, t := range next {
		if ch, ok := change(after, s, old[s], t); ok {
			out.Changes = append(out.Changes, ch)
		}
	}
	for s, t := range old {
		if next[s] == nil {
			out.Changes = append(out.Changes, api.SlotChange{
				Service: string(s.service), Slot: s.slot, Kind: api.SlotStops, From: nodeName(after, t.Node),
			})
		}
	}
	slices.SortFunc(out.Changes, func(a, b api.SlotChange) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.From, b.From))
	})
	for n := range after.Nodes() {
		held := after.Allocated(n.ID)
		if n.Condition == cluster.Down {
			held = state.Allocation{} // what is lost there waits to be told to stop
		}
		out.Nodes = append(out.Nodes, api.HostLoad{
			Name: n.Name, State: string(n.Condition), Tasks: held.Tasks,
			CPUs: float64(n.Capacity.MilliCPU) / 1000, CPUReserved: float64(held.Resources.MilliCPU) / 1000,
			Memory: n.Capacity.Memory, MemoryReserved: held.Resources.Memory,
		})
	}
	return out
}

// change is what becomes of a slot's task; ok is false when nothing does, or it
// finds no place.
func change(v state.View, s seat, old, next *cluster.Task) (ch api.SlotChange, ok bool) {
	if next.Node == "" || old != nil && old.ID == next.ID && old.Node == next.Node {
		return ch, false
	}
	ch = api.SlotChange{Service: string(s.service), Slot: s.slot, Kind: api.SlotStarts, To: nodeName(v, next.Node)}
	if old == nil || old.Node == "" {
		return ch, true
	}
	ch.From, ch.Kind = nodeName(v, old.Node), api.SlotMoves
	if old.Generation != next.Generation {
		ch.Kind = api.SlotReplaced
	}
	return ch, true
}

// nodeName is "" for no node.
func nodeName(v state.View, id cluster.NodeID) string {
	if n, ok := v.Node(id); ok {
		return n.Name
	}
	return string(id)
}
