package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/musterhq/muster/api"
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
// that follows from a scenario: it decides as a leader with these facts does, and
// every agent does at once what it is told. Nothing of it takes effect. It fails
// where a command of the scenario would be refused, and when ctx ends before.
func Simulate(ctx context.Context, v state.View, f Facts, s Scenario) (state.View, error) {
	sim, err := simulateAll(ctx, v, f, s)
	if err != nil {
		return v, err
	}
	return sim.View(), nil
}

func simulateAll(ctx context.Context, v state.View, f Facts, s Scenario) (*simulation, error) {
	sim := &simulation{State: v.Fork(), now: v.Now(), facts: f}
	for _, b := range s.Do {
		if res := sim.apply(b); res.Err != nil {
			return nil, res.Err
		}
	}
	var conditions []state.NodeCondition
	for _, id := range s.Down {
		conditions = append(conditions, state.NodeCondition{Node: id, Condition: cluster.Down, Reason: "simulated"})
	}
	_, err := sim.run(ctx, conditions)
	return sim, err
}

// simulation is a scratch state with a clock.
type simulation struct {
	*state.State
	now   time.Time
	facts Facts
	tasks int // created so far
	// victims were stopped for others.
	victims []api.Victim
	// decided is told of every decision; done ends the run before nothing is left
	// to wait for. Both may be nil.
	decided func(state.View)
	done    func(state.View) bool
	// starts says whose tasks become ready; nil: everybody's.
	starts func(*cluster.Task) bool
	// stirred are the nodes on which something changed since their agents last
	// did what they were told; nil: all of them.
	stirred map[cluster.NodeID]bool
}

// run decides and does until nothing is left to decide, or as far as a simulation
// looks ahead: ends is false then.
func (s *simulation) run(ctx context.Context, conditions []state.NodeCondition) (ends bool, err error) {
	var rounds round
	for end := s.now.Add(simulated); s.now.Before(end); conditions = nil {
		if ctx.Err() != nil {
			return false, fmt.Errorf("simulate: %w", ctx.Err())
		}
		s.facts.Conditions = conditions
		index := s.View().Index()
		s.facts.Resume = rounds.next(index)
		d := Decide(s.View(), s.facts, s.now, s.newID)
		if !d.Empty() {
			s.noteVictims(d)
			if res := s.apply(d.Reconcile); res.Err != nil {
				return false, res.Err
			}
			if s.decided != nil {
				s.decided(s.View())
			}
		}
		again := rounds.note(index, &d)
		switch did := s.work(); {
		case did || !d.Empty():
			s.now = s.now.Add(time.Second)
		case again:
		case s.done != nil && s.done(s.View()):
			return true, nil
		case d.Wake.After(s.now):
			s.now = d.Wake
		default:
			return true, nil
		}
	}
	return false, nil
}

// noteVictims writes down who is stopped for whom.
func (s *simulation) noteVictims(d Decision) {
	v := s.View()
	for _, stop := range d.Stop {
		t, ok := v.Task(stop.Task)
		if !ok || stop.By == "" {
			continue
		}
		waits, _ := v.Task(stop.By)
		by, _ := v.Service(waits.Service)
		s.victims = append(s.victims, api.Victim{
			Service: string(t.Service), Slot: t.Slot, Node: nodeName(v, t.Node), By: string(by.ID), Priority: by.Spec.Placement.Rank(),
		})
	}
}

func (s *simulation) apply(b state.Body) state.Result {
	res := s.Apply(s.View().Index()+1, state.Command{At: s.now, Body: b})
	if s.stirred != nil {
		for _, ch := range res.Changes {
			s.stirred[ch.Node] = true
		}
	}
	return res
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
	stirred := s.stirred
	s.stirred = map[cluster.NodeID]bool{}
	var reports []state.Observe
	for n := range v.Nodes() {
		if n.Condition == cluster.Down || stirred != nil && !stirred[n.ID] {
			continue
		}
		o := state.Observe{Node: n.ID, Marks: true}
		for t := range v.TasksOn(n.ID) {
			seen := t.Observed
			switch {
			case t.Ended():
				continue
			case t.Desired == cluster.Stopped:
				seen.Phase = cluster.PhaseExited
			case !t.Ready() && (s.starts == nil || s.starts(t)):
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

// wanted reports whether the task is to run and has not ended.
func wanted(t *cluster.Task) bool { return t.Desired == cluster.Running && !t.Ended() }

// seat is a slot; those of a global service are told apart by their nodes.
type seat struct {
	service cluster.ServiceID
	slot    int
	pinned  cluster.NodeID
}

// seats are the wanted tasks by slot: of several the one that is the newest.
func seats(v state.View) map[seat]*cluster.Task {
	out := map[seat]*cluster.Task{}
	for t := range v.Tasks() {
		if wanted(t) {
			out[seat{t.Service, t.Slot, t.Pinned}] = t
		}
	}
	return out
}

// homeless are those of the seats' tasks without a place: without a node, or with
// one that is down.
func homeless(v state.View, seats map[seat]*cluster.Task) []*cluster.Task {
	var out []*cluster.Task
	for _, t := range seats {
		if t.Node == "" || v.Condition(t.Node) == cluster.Down {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *cluster.Task) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.ID, b.ID))
	})
	return out
}
