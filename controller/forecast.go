package controller

import (
	"cmp"
	"context"
	"slices"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement"
)

// Forecast foretells what becomes of a stack after a change, if its containers
// start. after is the state with the change, before the one without it. It fails
// when ctx ends before.
func Forecast(ctx context.Context, before, after state.View, stack string, facts Facts) (api.Forecast, error) {
	f := &forecast{stack: stack, before: before, images: facts.Images, low: map[cluster.ServiceID]int{}}
	sim := &simulation{
		State: after.Fork(), now: after.Now(), facts: facts, decided: f.count, done: f.settled,
		starts: func(t *cluster.Task) bool { return t.Service.Stack() == stack },
	}
	f.count(after)
	ends, err := sim.run(ctx, nil)
	if err != nil {
		return api.Forecast{}, err
	}
	out := f.tell(sim.View(), ends)
	out.Victims = sim.victims
	return out, nil
}

// forecast is one in the making.
type forecast struct {
	stack  string
	before state.View
	images func(hashes map[string]bool) map[string]placement.Image // Facts.Images
	low    map[cluster.ServiceID]int                               // fewest ready tasks
}

// count notes how many tasks of each service are ready.
func (f *forecast) count(v state.View) {
	for s := range v.StackServices(f.stack) {
		n := readyTasks(v, s.ID)
		if low, ok := f.low[s.ID]; !ok || n < low {
			f.low[s.ID] = n
		}
	}
}

func readyTasks(v state.View, id cluster.ServiceID) int {
	n := 0
	for t := range v.TasksOf(id) {
		if t.Desired == cluster.Running && t.Ready() && v.Condition(t.Node) != cluster.Down {
			n++
		}
	}
	return n
}

// settled reports whether no task of the stack waits to be replaced.
func (f *forecast) settled(v state.View) bool {
	for s := range v.StackServices(f.stack) {
		if s.Removing {
			return false
		}
		for t := range v.TasksOf(s.ID) {
			if wanted(t) && t.Generation != s.Generation && !s.OnTrial() {
				return false
			}
		}
	}
	return true
}

// tell compares the tasks of the end with those of the beginning.
func (f *forecast) tell(v state.View, ends bool) api.Forecast {
	out := api.Forecast{Tasks: []api.PlannedTask{}, Lowest: []api.LowestPoint{}, Ends: ends}
	ours := func(service string) bool { return cluster.ServiceID(service).Stack() == f.stack }
	all := compare(f.before, v)
	for _, ch := range all.Changes {
		if !ours(ch.Service) {
			continue
		}
		t := api.PlannedTask{Service: ch.Service, Slot: ch.Slot, Action: ch.Kind, Node: ch.To, From: ch.From}
		if ch.Kind == api.SlotStops {
			t.Node, t.From = ch.From, ""
		}
		out.Tasks = append(out.Tasks, t)
	}
	for _, p := range all.Pending {
		if ours(p.Service) {
			out.Tasks = append(out.Tasks, api.PlannedTask{Service: p.Service, Slot: p.Slot, Action: "pending", Reason: p.Reason})
		}
	}
	slices.SortStableFunc(out.Tasks, func(a, b api.PlannedTask) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Slot, b.Slot))
	})
	out.Images = f.fetched(v)
	for s := range v.StackServices(f.stack) {
		if low, before := f.low[s.ID], readyTasks(f.before, s.ID); low < before {
			out.Lowest = append(out.Lowest, api.LowestPoint{Service: string(s.ID), Ready: low, Before: before, Desired: readyTasks(v, s.ID)})
		}
	}
	return out
}
