package sim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/musterhq/muster/agent/worker"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/integration/invariants"
	"github.com/musterhq/muster/runtime"
)

// work runs one host's containers by worker.Plan, as the loop of agent/worker
// does: it lists, plans, applies, reports and plans again.
type work struct {
	a     *agent
	host  worker.Host
	set   worker.Set
	known bool

	memory   worker.Memory
	inFlight map[string]worker.Flight
	seen     sightings
	kept     worker.Set // on disk, without its assignments
	lasting  int        // what of the observations had to go with it

	engineUp           bool
	listing, listAgain bool
	looking            map[string]bool // container ID to whether to look again
	resyncAt, wake     alarm
	planning           bool
}

// Paces, as agent/worker/loop.go and apply.go have them.
const (
	resyncEvery   = 5 * time.Second
	resyncDown    = time.Second
	followAgain   = time.Second
	lookDeadline  = 6 * time.Second
	writeDeadline = 65 * time.Second
	stopSlack     = 35 * time.Second
	saveTime      = time.Millisecond
)

// limits are an agent's, but that ended containers are kept for longer than a
// run lasts: those that must go sooner do not go by themselves.
var limits = func() worker.Limits {
	l := worker.DefaultLimits
	l.KeepFor = 2 * settleWithin
	return l
}()

// newWork starts from the set on the host's disk.
func newWork(a *agent) *work {
	return &work{
		a: a, host: worker.Host{ClusterID: "C", NodeID: a.h.id, NodeName: a.h.name},
		set: a.h.disk.set, known: a.h.disk.known,
		inFlight: map[string]worker.Flight{}, seen: newSightings(), looking: map[string]bool{},
	}
}

func (k *work) start() {
	k.resync()
	k.plan()
}

// assign replaces what is assigned.
func (k *work) assign(s worker.Set) {
	if next, news := k.set.Next(s); k.known && news {
		s = next
	} else if k.known {
		return
	}
	if k.known && (position{s.Epoch, s.Index}).before(position{k.set.Epoch, k.set.Index}) {
		k.a.w.fail(invariants.Violation{Rule: invariants.MovedBack, Detail: fmt.Sprintf("node %s takes assignments of index %d, and has those of %d", k.a.h.id, s.Index, k.set.Index)})
	}
	k.set, k.known = s, true
	k.a.w.mix("assign", string(k.a.h.id), s.Index)
	k.plan()
}

// plan plans soon, once for all news of an instant.
func (k *work) plan() {
	if k.planning {
		return
	}
	k.planning = true
	k.a.after(0, func() {
		k.planning = false
		k.step()
	})
}

// step plans, begins the actions and reports.
func (k *work) step() {
	now := k.a.h.clock()
	d := worker.Plan(worker.Input{
		Now: now, Address: k.a.h.address, Assigned: k.set, Known: k.known,
		Actual: k.seen.containers(), EngineUp: k.engineUp,
		Memory: k.memory, InFlight: maps.Clone(k.inFlight), Limits: limits,
	})
	k.memory = d.Memory
	for _, a := range d.Actions {
		k.begin(a)
	}
	k.a.report.offer(d.Observed)
	k.save(d.Observed)
	if !d.Wake.IsZero() {
		k.wake.in(d.Wake.Sub(now), k.a.after, k.plan)
	}
}

// save writes the set to disk when it is newer, or more of it is over for good or
// was restarted.
func (k *work) save(seen []worker.Observation) {
	lasting := 0
	for _, o := range seen {
		lasting += o.Observed.Restarts
		if o.Observed.Final {
			lasting++
		}
	}
	if !k.known || lasting == k.lasting && !k.set.Newer(k.kept) {
		return
	}
	s := k.set
	k.kept, k.lasting = worker.Set{Epoch: s.Epoch, Index: s.Index}, lasting
	s.Services, s.Assignments = nil, slices.Clone(s.Assignments)
	latest := make(map[cluster.TaskID]cluster.Observed, len(seen))
	for _, o := range seen {
		latest[o.Task] = o.Observed
	}
	for i := range s.Assignments {
		if o, ok := latest[s.Assignments[i].Task.ID]; ok {
			s.Assignments[i].Task.Observed = o
		}
	}
	k.a.after(saveTime, func() { k.a.h.disk.set, k.a.h.disk.known = s, true })
}

func (k *work) begin(a worker.Action) {
	k.inFlight[a.Key()] = worker.Flight{Kind: a.Kind, Since: k.a.h.clock()}
	k.a.w.note("act", string(k.a.h.id)+" "+string(a.Kind), string(a.Task)+" "+a.Container+" "+a.Reason, 0)
	k.apply(a, func(s sighting, err error) {
		delete(k.inFlight, a.Key())
		if s.id != "" {
			k.seen.saw(s)
		}
		k.memory.Settle(a, err, k.a.h.clock())
		if a.Kind != worker.Fetch && (err != nil || s.id == "") {
			k.resync()
		}
		k.plan()
	})
}

// resync lists all containers; a list that is under way is followed by another.
func (k *work) resync() {
	if k.listing {
		k.listAgain = true
		return
	}
	k.listing, k.listAgain = true, false
	at := k.seen.begin()
	k.a.h.engine.list(lookDeadline, func(all []runtime.Container, err error) {
		k.a.run(func() { k.listed(at, all, err) })
	})
}

func (k *work) listed(at uint64, all []runtime.Container, err error) {
	k.listing = false
	next := resyncEvery
	if err == nil {
		k.seen.listed(at, all)
	} else {
		next = resyncDown
	}
	k.resyncAt.in(next, k.a.after, k.resync)
	k.engineUp = err == nil
	if k.listAgain && err == nil {
		k.resync()
	}
	k.plan()
}

// follow listens to the engine's events, if it is there, and lists for what was
// missed before.
func (a *agent) follow() {
	e := a.h.engine
	a.after(a.w.between(time.Millisecond, followAgain), func() {
		if e.up {
			e.events = func(ev runtime.Event) { a.run(func() { a.work.hint(ev) }) }
			a.work.resync()
		}
	})
}

// hint looks at the container of an event. The start of one that we start, or
// that is known to run, is no news.
func (k *work) hint(e runtime.Event) {
	a := worker.Action{Task: cluster.TaskID(e.Labels[runtime.LabelTask])}
	_, busy := k.inFlight[a.Key()]
	if known := k.seen.seen[e.ContainerID].c.Status; e.Action == "start" && (busy || known == runtime.StatusRunning) {
		return
	}
	k.lookAt(e.ContainerID)
}

func (k *work) lookAt(id string) {
	if _, under := k.looking[id]; under {
		k.looking[id] = true
		return
	}
	k.looking[id] = false
	k.look(id, func(s sighting, err error) {
		again := k.looking[id]
		delete(k.looking, id)
		if err == nil {
			k.seen.saw(s)
		}
		if again {
			k.lookAt(id)
		}
		k.plan()
	})
}

// assigned reports whether the task is in the current set.
func (k *work) assigned(id cluster.TaskID) bool {
	return slices.ContainsFunc(k.set.Assignments, func(a worker.Assignment) bool { return a.Task.ID == id })
}

// sightings is what is known of the containers, as agent/worker/view.go keeps
// it: what was looked at later is kept.
type sightings struct {
	clock uint64
	seen  map[string]sighting
	list  []runtime.Container // of what is seen; nil once that has changed
}

// sighting is one look at one container; its time is when it was begun.
type sighting struct {
	at   uint64
	id   string
	gone bool
	c    runtime.Container
}

func newSightings() sightings { return sightings{seen: map[string]sighting{}} }

func (v *sightings) begin() uint64 {
	v.clock++
	return v.clock
}

func (v *sightings) saw(s sighting) {
	if s.at > v.seen[s.id].at {
		v.seen[s.id], v.list = s, nil
	}
}

func (v *sightings) listed(at uint64, all []runtime.Container) {
	for _, c := range all {
		v.saw(sighting{at: at, id: c.ID, c: c})
	}
	v.list = nil
	maps.DeleteFunc(v.seen, func(_ string, s sighting) bool { return s.at < at })
}

func (v *sightings) containers() []runtime.Container {
	if v.list != nil {
		return v.list
	}
	ids := make([]string, 0, len(v.seen))
	for id := range v.seen {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	v.list = make([]runtime.Container, 0, len(ids))
	for _, id := range ids {
		if s := v.seen[id]; !s.gone {
			v.list = append(v.list, s.c)
		}
	}
	return v.list
}
