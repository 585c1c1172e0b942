package worker

import (
	"cmp"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// Input is everything that a plan depends on.
type Input struct {
	Now     time.Time
	Address string // of this host, reported with running tasks
	// Assigned is the newest set; Known is false until there is one.
	Assigned Set
	Known    bool
	// Actual are the cluster's containers on this host.
	Actual []runtime.Container
	// EngineUp is false while the engine does not answer: nothing is done and
	// every task keeps its last observation.
	EngineUp bool
	Memory   Memory
	// Verdicts are those of the node's own checks on the runs of Actual, by container.
	Verdicts map[string]Verdict
	// Served is what the balancers of all nodes go by; zero: not known.
	Served   Position
	InFlight map[string]Flight // the actions under way, by key
	Limits   Limits
}

// Flight is an action under way.
type Flight struct {
	Kind  ActionKind
	Since time.Time
}

// Limits bound what is under way at once, and what is kept.
type Limits struct {
	Starts    int // creates and starts
	Stops     int // stops and removals
	Fetches   int
	KeepEnded int           // ended containers a slot
	KeepFor   time.Duration // ended containers of tasks that are no longer assigned
	// Slow is how long an action counts: one that takes longer waits for
	// something else than the engine's work, and holds up no other.
	Slow time.Duration
	// StrayGrace is how long a container must be without a task before it is
	// stopped, so that a set that was overtaken kills nothing.
	StrayGrace time.Duration
	// Leave is how long a task that balancers know runs on after it is told to
	// stop where nobody says what they go by.
	Leave time.Duration
	// LeaveBy is how long it waits at most for balancers to let go of it.
	LeaveBy time.Duration
}

// DefaultLimits are those of one engine: more than two starts at a time make
// all of them slower.
var DefaultLimits = Limits{
	Starts: 2, Stops: 8, Fetches: 3,
	KeepEnded: 2, KeepFor: 10 * time.Minute, Slow: 15 * time.Second, StrayGrace: 10 * time.Second,
	Leave: 500 * time.Millisecond, LeaveBy: 3 * time.Second,
}

// Decision is what to do now.
type Decision struct {
	Actions  []Action      // in order of urgency
	Observed []Observation // of every assigned task that something is known of, in the order of their IDs
	Checks   []Check       // to be made by the node
	Memory   Memory        // for the next plan
	Wake     time.Time     // when to plan again at the latest; zero: on news only
	// Leaving: tasks wait for Input.Served to go on.
	Leaving bool
}

// Plan decides. It is pure: the same input gives the same decision, whatever
// the order of its lists.
func Plan(in Input) Decision {
	p := newPlanner(in)
	if in.Known {
		p.forget()
		for _, a := range p.assigned {
			p.task(a)
		}
		if in.EngineUp {
			p.strays()
			p.history()
		}
		p.admit()
	}
	return p.decision()
}

// planner is the working state of one Plan.
type planner struct {
	in       Input
	assigned []*Assignment // in the order of their task IDs
	byTask   map[cluster.TaskID][]*runtime.Container
	memory   Memory
	stops    []Action
	fetches  []Action
	starts   []Action
	wake     time.Time
	leaving  bool
}

func newPlanner(in Input) *planner {
	p := &planner{in: in, byTask: map[cluster.TaskID][]*runtime.Container{}, memory: in.Memory.clone()}
	for i := range in.Assigned.Assignments {
		p.assigned = append(p.assigned, &in.Assigned.Assignments[i])
	}
	slices.SortFunc(p.assigned, func(a, b *Assignment) int { return cmp.Compare(a.Task.ID, b.Task.ID) })
	for i := range in.Actual {
		id := cluster.TaskID(in.Actual[i].Labels[runtime.LabelTask])
		p.byTask[id] = append(p.byTask[id], &in.Actual[i])
	}
	for _, own := range p.byTask {
		slices.SortFunc(own, better)
	}
	return p
}

// better orders the containers of one task: the first is the task's, the
// others are too many.
func better(a, b *runtime.Container) int {
	rank := func(c *runtime.Container) int {
		switch c.Status {
		case runtime.StatusRunning, runtime.StatusPaused:
			return 0
		case runtime.StatusRemoving:
			return 2
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
}

// forget drops the memory of what is assigned no longer.
func (p *planner) forget() {
	tasks, images := map[cluster.TaskID]bool{}, map[string]bool{}
	for _, a := range p.assigned {
		tasks[a.Task.ID], images[imageOf(a)] = true, true
	}
	for id := range p.memory.Tasks {
		if !tasks[id] {
			delete(p.memory.Tasks, id)
		}
	}
	for digest := range p.memory.Images {
		if !images[digest] {
			delete(p.memory.Images, digest)
		}
	}
}

func imageOf(a *Assignment) string {
	return cmp.Or(a.Template.Container.Image.Digest, a.Template.Container.Image.Ref)
}

// waits reports whether t is still to come, and wakes the planner then.
func (p *planner) waits(t time.Time) bool {
	if !t.After(p.in.Now) {
		return false
	}
	if p.wake.IsZero() || t.Before(p.wake) {
		p.wake = t
	}
	return true
}

func (p *planner) busy(key string) bool {
	_, ok := p.in.InFlight[key]
	return ok
}

// admit cuts what was proposed to what the limits leave room for. The first
// start of a task goes before restarts, which have waited by themselves.
func (p *planner) admit() {
	slices.SortStableFunc(p.starts, func(a, b Action) int {
		ran := func(a Action) int {
			if p.memory.Tasks[a.Task].Ran {
				return 1
			}
			return 0
		}
		return cmp.Compare(ran(a), ran(b))
	})
	p.stops = p.cut(p.stops, p.in.Limits.Stops, Stop, Remove)
	p.fetches = p.cut(p.fetches, p.in.Limits.Fetches, Fetch)
	p.starts = p.cut(p.starts, p.in.Limits.Starts, Create, Start)
	for _, a := range p.starts {
		p.memory.Tasks[a.Task] = p.memory.Tasks[a.Task].starting()
	}
}

// cut leaves the first of the actions that there is room for beside those of
// the kinds that are under way. Fetches count as long as they last.
func (p *planner) cut(actions []Action, limit int, kinds ...ActionKind) []Action {
	room, next := limit, time.Time{}
	for _, f := range p.in.InFlight {
		slow := f.Since.Add(p.in.Limits.Slow)
		if !slices.Contains(kinds, f.Kind) || f.Kind != Fetch && !slow.After(p.in.Now) {
			continue
		}
		room--
		if next.IsZero() || slow.Before(next) {
			next = slow
		}
	}
	room = max(room, 0)
	if room >= len(actions) {
		return actions
	}
	p.waits(next)
	return actions[:room]
}

func (p *planner) decision() Decision {
	d := Decision{Memory: p.memory, Wake: p.wake, Leaving: p.leaving, Checks: p.checks(), Actions: slices.Concat(p.stops, p.fetches, p.starts)}
	for _, a := range p.assigned {
		if l, ok := p.memory.Tasks[a.Task.ID]; ok && !l.Unjudged {
			d.Observed = append(d.Observed, Observation{Task: a.Task.ID, Observed: l.Last})
		}
	}
	return d
}
