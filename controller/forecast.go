package controller

import (
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// Bounds of a forecast: decisions, and how far it looks ahead.
const (
	forecastSteps = 5_000
	forecastAhead = 24 * time.Hour
)

// Forecast foretells what becomes of a stack after a change: the leader decides
// as it would, and every agent does at once what it is told. after is the state
// with the change, before the one without it.
func (c *Controller) Forecast(before, after state.View, stack string) api.Forecast {
	now := time.Now()
	c.mu.Lock()
	quarantine := c.held
	c.mu.Unlock()
	return forecast(before, after, stack, quarantine, now)
}

func forecast(before, after state.View, stack string, quarantine map[cluster.NodeID]time.Time, now time.Time) api.Forecast {
	f := &foreseen{
		before: before, scratch: after.Fork(), stack: stack, index: after.Index(), now: now, until: now.Add(forecastAhead),
		low: map[cluster.ServiceID]int{},
	}
	f.count()
	for range forecastSteps {
		d := Decide(f.scratch.View(), nil, quarantine, f.now, f.newID)
		changed := !d.Empty()
		if changed {
			f.apply(d.Reconcile)
			f.count()
		}
		switch changed = f.agents() || changed; {
		case changed:
		case f.settled() || d.Wake.IsZero() || d.Wake.After(f.until):
			return f.tell(true)
		default:
			f.now = d.Wake
		}
	}
	return f.tell(false)
}

// foreseen is a forecast in the making.
type foreseen struct {
	before  state.View
	scratch *state.State
	stack   string
	index   uint64
	now     time.Time
	until   time.Time
	ids     int
	low     map[cluster.ServiceID]int // fewest ready tasks
}

// newID gives IDs that grow: the time, as those of real tasks, and a number.
func (f *foreseen) newID() cluster.TaskID {
	f.ids++
	const timeLetters = 10
	return cluster.TaskID(fmt.Sprintf("%s%016d", ulid.MustNew(ulid.Timestamp(f.now), nil).String()[:timeLetters], f.ids))
}

func (f *foreseen) apply(b state.Body) {
	f.index++
	f.scratch.Apply(f.index, state.Command{At: f.now, Body: b})
}

// agents has all containers start and stop as they should, and reports whether
// any did.
func (f *foreseen) agents() bool {
	v, did := f.scratch.View(), false
	for n := range v.Nodes() {
		seen := state.Observe{Node: n.ID, Marks: true}
		for t := range v.TasksOn(n.ID) {
			if n.Condition != cluster.Ready || t.Ended() || t.Desired == cluster.Running && (t.Ready() || t.Service.Stack() != f.stack) {
				continue
			}
			o := cluster.Observed{Phase: cluster.PhaseRunning}
			if t.Desired == cluster.Stopped {
				o.Phase = cluster.PhaseExited
			}
			seen.Tasks = append(seen.Tasks, state.TaskObserved{Task: t.ID, Observed: o})
		}
		if len(seen.Tasks) > 0 {
			f.apply(seen)
			did = true
		}
	}
	return did
}

// count notes how many tasks of each service are ready.
func (f *foreseen) count() {
	for s := range f.scratch.View().StackServices(f.stack) {
		n := readyTasks(f.scratch.View(), s.ID)
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
func (f *foreseen) settled() bool {
	v := f.scratch.View()
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

func wanted(t *cluster.Task) bool { return t.Desired == cluster.Running && !t.Ended() }

// tell compares the tasks of the end with those of the beginning.
func (f *foreseen) tell(ends bool) api.Forecast {
	out := api.Forecast{Tasks: []api.PlannedTask{}, Images: []api.PlannedImage{}, Lowest: []api.LowestPoint{}, Ends: ends}
	v := f.scratch.View()
	for t := range v.Tasks() {
		if _, old := f.before.Task(t.ID); t.Service.Stack() == f.stack && wanted(t) && !old {
			out.Tasks = append(out.Tasks, f.planned(t))
			f.fetch(&out, t)
		}
	}
	for t := range f.before.Tasks() {
		if t.Service.Stack() == f.stack && wanted(t) && !f.continues(t) {
			out.Tasks = append(out.Tasks, api.PlannedTask{Service: string(t.Service), Slot: t.Slot, Action: "stop", Node: f.name(t.Node)})
		}
	}
	slices.SortStableFunc(out.Tasks, func(a, b api.PlannedTask) int {
		if a.Service != b.Service {
			if a.Service < b.Service {
				return -1
			}
			return 1
		}
		return a.Slot - b.Slot
	})
	for s := range v.StackServices(f.stack) {
		if low, before := f.low[s.ID], readyTasks(f.before, s.ID); low < before {
			out.Lowest = append(out.Lowest, api.LowestPoint{Service: string(s.ID), Ready: low, Before: before, Desired: readyTasks(v, s.ID)})
		}
	}
	return out
}

// planned says what a new task is to the seat that it fills.
func (f *foreseen) planned(t *cluster.Task) api.PlannedTask {
	out := api.PlannedTask{Service: string(t.Service), Slot: t.Slot, Action: "start", Node: f.name(t.Node)}
	if old := f.held(t.Service, t.Slot); old != nil {
		out.Action, out.From = "replace", f.name(old.Node)
		if old.Generation == t.Generation {
			out.Action = "move"
		}
	}
	if t.Node == "" {
		out.Action, out.Reason = "pending", t.Reason
	}
	return out
}

// held is the task that had the seat before.
func (f *foreseen) held(id cluster.ServiceID, slot int) *cluster.Task {
	for t := range f.before.TasksOf(id) {
		if t.Slot == slot && wanted(t) {
			return t
		}
	}
	return nil
}

// continues reports whether the task, or another in its seat, is there in the end.
func (f *foreseen) continues(t *cluster.Task) bool {
	for o := range f.scratch.View().TasksOf(t.Service) {
		if o.Slot == t.Slot && wanted(o) {
			return true
		}
	}
	return false
}

// fetch notes the task's image where its node has no task of it yet.
func (f *foreseen) fetch(out *api.Forecast, t *cluster.Task) {
	image, ok := imageOf(f.scratch.View(), t)
	if !ok || t.Node == "" {
		return
	}
	for o := range f.before.TasksOn(t.Node) {
		if had, ok := imageOf(f.before, o); ok && had == image {
			return
		}
	}
	i := slices.IndexFunc(out.Images, func(p api.PlannedImage) bool { return p.Image == image.Ref })
	if i < 0 {
		i = len(out.Images)
		out.Images = append(out.Images, api.PlannedImage{Image: image.Ref})
	}
	if name := f.name(t.Node); !slices.Contains(out.Images[i].Nodes, name) {
		out.Images[i].Nodes = append(out.Images[i].Nodes, name)
	}
}

func imageOf(v state.View, t *cluster.Task) (cluster.Image, bool) {
	s, ok := v.Service(t.Service)
	if !ok {
		return cluster.Image{}, false
	}
	tpl, ok := s.Template(t.Generation)
	return tpl.Container.Image, ok
}

func (f *foreseen) name(id cluster.NodeID) string {
	if n, ok := f.before.Node(id); ok {
		return n.Name
	}
	return ""
}
