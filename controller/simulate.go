package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// simulated is how far a simulation looks ahead: a rollout with long delays
// would be followed for ever.
const simulated = 24 * time.Hour

// Scenario is what is supposed to happen to a cluster, all at once.
type Scenario struct {
	Do   []state.Body     // commands of users
	Down []cluster.NodeID // hosts that die
}

// Simulate answers what a cluster would look like once everything has been done
// that follows from a scenario: it decides as a leader does, and every agent
// does at once what it is told. Nothing of it takes effect. It fails where a
// command of the scenario would be refused, and when ctx ends before.
func Simulate(ctx context.Context, v state.View, quarantine map[cluster.NodeID]time.Time, s Scenario) (state.View, error) {
	sim := &simulation{State: v.Fork(), now: v.Now()}
	for _, b := range s.Do {
		if res := sim.apply(b); res.Err != nil {
			return v, res.Err
		}
	}
	var conditions []state.NodeCondition
	for _, id := range s.Down {
		conditions = append(conditions, state.NodeCondition{Node: id, Condition: cluster.Down, Reason: "simulated"})
	}
	for end := sim.now.Add(simulated); sim.now.Before(end); conditions = nil {
		if ctx.Err() != nil {
			return v, fmt.Errorf("simulate: %w", ctx.Err())
		}
		d := Decide(sim.View(), conditions, quarantine, sim.now, sim.newID)
		if !d.Empty() {
			if res := sim.apply(d.Reconcile); res.Err != nil {
				return v, res.Err
			}
		}
		switch done := sim.work(); {
		case done || !d.Empty():
			sim.now = sim.now.Add(time.Second)
		case d.Wake.After(sim.now):
			sim.now = d.Wake
		default:
			return sim.View(), nil
		}
	}
	return sim.View(), nil
}

// simulation is a scratch state with a clock.
type simulation struct {
	*state.State
	now   time.Time
	tasks int // created so far
}

func (s *simulation) apply(b state.Body) state.Result {
	return s.Apply(s.View().Index()+1, state.Command{At: s.now, Body: b})
}

// newID is greater than the ID of every task that there is, which is a ULID.
func (s *simulation) newID() cluster.TaskID {
	s.tasks++
	return cluster.TaskID(fmt.Sprintf("~simulated-%09d", s.tasks))
}

// work has every agent whose host is not down do what it was told, and reports
// whether there was anything to do.
func (s *simulation) work() bool {
	v := s.View()
	var reports []state.Observe
	for n := range v.Nodes() {
		if n.Condition == cluster.Down {
			continue
		}
		o := state.Observe{Node: n.ID}
		for t := range v.TasksOn(n.ID) {
			seen := t.Observed
			switch {
			case t.Ended():
				continue
			case t.Desired == cluster.Stopped:
				seen.Phase = cluster.PhaseExited
			case !t.Ready():
				seen.Phase, seen.Health, seen.Error = cluster.PhaseRunning, cluster.HealthNone, ""
				seen.Started = s.now
			default:
				continue
			}
			o.Tasks = append(o.Tasks, state.TaskObserved{Task: t.ID, Observed: seen})
		}
		if len(o.Tasks) > 0 {
			reports = append(reports, o)
		}
	}
	for _, o := range reports {
		s.apply(o)
	}
	return len(reports) > 0
}

// Seat is a slot and the task that is in it, or is to be.
type Seat struct {
	Service cluster.ServiceID
	Slot    int
	Pinned  cluster.NodeID
}

// Seats are the wanted tasks by slot: of several the one that is the newest.
func Seats(v state.View) map[Seat]*cluster.Task {
	out := map[Seat]*cluster.Task{}
	for t := range v.Tasks() {
		if t.Desired == cluster.Running && !t.Ended() {
			out[Seat{t.Service, t.Slot, t.Pinned}] = t
		}
	}
	return out
}

// Homeless are the wanted tasks without a place: those without a node, and those
// whose node is down.
func Homeless(v state.View) []*cluster.Task {
	var out []*cluster.Task
	for _, t := range Seats(v) {
		if t.Node == "" || v.Condition(t.Node) == cluster.Down {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *cluster.Task) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.ID, b.ID))
	})
	return out
}
