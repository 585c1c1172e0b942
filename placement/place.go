package placement

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// Plan is the answer to a list of requests.
type Plan struct {
	Assign  []Choice
	Pending []Refusal
	// Evict are tasks that leave for some of those that are pending.
	Evict []Eviction
	// SetAside names services whose requests cannot be decided on.
	SetAside []state.SetAside
	// Left is how many requests, the last ones, were not come to.
	Left int
}

// Choice is a task's node.
type Choice struct {
	Task cluster.TaskID
	Node cluster.NodeID
	Why  Score
	// Second is the node that would have been next, and Lost by what it was
	// not the first; nil where no other node could take the task.
	Second *cluster.Node
	Lost   Loss
	// Devices are the node's that the task gets.
	Devices []cluster.DeviceShare
}

// Refusal is why a task has no node.
type Refusal struct {
	Task   cluster.TaskID
	Reason string
}

// Place decides where the requested tasks go, first come, first served: each
// request sees what those before it were given. A request that some node can
// take gets one. The seed decides among equal nodes.
func Place(snap Snapshot, reqs []Request, seed uint64) Plan {
	return PlaceWithin(math.MaxInt, snap, reqs, seed)
}

// PlaceWithin is Place with a budget: it ends before the request at whose turn
// that many nodes have been looked at. At least one request is answered.
func PlaceWithin(visits int, snap Snapshot, reqs []Request, seed uint64) Plan {
	return place(visits, snap, reqs, seed, filters)
}

func place(visits int, snap Snapshot, reqs []Request, seed uint64, filters []filter) Plan {
	p := newPlan(snap, seed, filters)
	for i := range reqs {
		if i > 0 && p.visits >= visits {
			p.out.Left = len(reqs) - i
			break
		}
		p.decide(&reqs[i])
	}
	p.improve()
	return p.out
}

// plan is one call of Place.
type plan struct {
	snap    Snapshot
	seed    uint64
	filters []filter

	// The snapshot's with what this plan gave the nodes.
	free, load, used []vector
	slack            []int64
	tasks            []int32
	ports            map[int][]cluster.Port // only those that the plan gave
	devices          map[int][]int64        // of the nodes where the plan gave some
	more             bool
	nominal          bool
	wanted           map[cluster.ServiceID]map[int]int

	// What does not change while the plan is made, found once.
	open    bitset // nodes that take tasks
	columns map[string]*column
	matches map[cluster.Constraint]bitset
	spreads map[string]*spread

	visits     int // of nodes so far
	aside      map[cluster.ServiceID]bool
	group      *group // of the last request
	set        bitset
	candidates []candidate
	domains    []Domain
	batch      []placed
	noAddress  map[generation]string
	market     market
	yards      map[int]*yard // by node
	sought     int           // nodes that were looked at for evictions
	out        Plan
}

func newPlan(snap Snapshot, seed uint64, filters []filter) *plan {
	p := &plan{
		snap: snap, seed: seed, filters: filters,
		free: slices.Clone(snap.free), load: slices.Clone(snap.load), used: slices.Clone(snap.used), tasks: slices.Clone(snap.tasks),
		slack:   slices.Clone(snap.slack),
		devices: map[int][]int64{}, more: snap.more, nominal: snap.nominal,
		ports: map[int][]cluster.Port{}, wanted: map[cluster.ServiceID]map[int]int{},
		open: newBitset(len(snap.nodes)), columns: map[string]*column{},
		matches: map[cluster.Constraint]bitset{}, spreads: map[string]*spread{},
		market: market{mix: snap.mix.Clone()},
		aside:  map[cluster.ServiceID]bool{}, noAddress: map[generation]string{}, yards: map[int]*yard{}, set: newBitset(len(snap.nodes)),
	}
	for i, why := range snap.blocked {
		if why == "" {
			p.open.set(i)
		}
		if !snap.measured[i] {
			p.used[i] = p.load[i] // what its tasks reserve is the best guess
		}
	}
	return p
}

// decide answers one request. If that panics, its service is set aside and the
// plan goes on.
func (p *plan) decide(r *Request) {
	defer func() {
		if v := recover(); v != nil {
			p.group = nil
			p.setAside(r, fmt.Sprintf("placing task %s failed: %v", r.Task, v))
		}
	}()
	switch {
	case p.aside[r.Service]:
		p.refuse(r, "its service is set aside")
	case r.Invalid != "":
		p.setAside(r, r.Invalid)
	case p.unaddressed(r) != "":
		p.refuse(r, p.unaddressed(r))
	default:
		p.see(r)
		if p.group == nil || !p.group.job.alike(r) {
			p.group = p.newGroup(r)
		}
		p.group.decide(r)
	}
}

// unaddressed says why no node can take the request, as its networks have no address
// for it, or "". Those that this plan gives are not counted: whoever gets none is
// refused where they are given, and asks again.
func (p *plan) unaddressed(r *Request) string {
	if !r.Networked {
		return ""
	}
	key := generation{r.Service, r.Generation}
	why, known := p.noAddress[key]
	if !known {
		why = p.snap.view.Unaddressed(r.Service, r.Generation)
		p.noAddress[key] = why
	}
	return why
}

type generation struct {
	service cluster.ServiceID
	number  uint64
}

func (p *plan) setAside(r *Request, reason string) {
	p.aside[r.Service] = true
	p.out.SetAside = append(p.out.SetAside, state.SetAside{Service: r.Service, Reason: reason})
	p.refuse(r, "its service is set aside")
}

func (p *plan) refuse(r *Request, reason string) {
	p.out.Pending = append(p.out.Pending, Refusal{Task: r.Task, Reason: reason})
}

// wantedOf is how many of the service's wanted tasks each node has, with those
// that this plan gave it.
func (p *plan) wantedOf(s cluster.ServiceID) map[int]int {
	on, ok := p.wanted[s]
	if !ok {
		if on = maps.Clone(p.snap.wanted[s]); on == nil {
			on = map[int]int{}
		}
		p.wanted[s] = on
	}
	return on
}

// refusal is the first thing in the way of the job on the node. With changing
// set, filters with lasting answers are left out.
func (p *plan) refusal(n int, j *job, changing bool) refusal {
	for i := range p.filters {
		f := &p.filters[i]
		if changing && f.narrow != nil {
			continue
		}
		if r := f.check(p, n, j); r != (refusal{}) {
			return r
		}
	}
	return refusal{}
}

// choose writes a choice down.
func (p *plan) choose(r *Request, policy *policy, c Choice) {
	if policy.batch && r.Leaves == "" {
		p.batch = append(p.batch, placed{r, len(p.out.Assign)})
	}
	p.out.Assign = append(p.out.Assign, c)
}

// give takes what the job asks from a node, which has it, and returns the
// devices.
func (p *plan) give(j *job, n int, weight *vector) []cluster.DeviceShare {
	p.take(n, &j.demand, +1)
	p.slack[n] -= j.demand[dimCPU]
	p.load[n].add(weight)
	p.used[n].add(weight)
	p.tasks[n]++
	if len(j.HostPorts) > 0 {
		p.ports[n] = append(p.ports[n], j.HostPorts...)
	}
	p.more, p.nominal = p.more || j.demand.more(), p.nominal || j.demand != *weight
	if len(j.Devices) == 0 {
		return nil
	}
	given, _, _ := cluster.PickDevices(p.snap.nodes[n].Devices, p.usedDevices(n), j.Devices)
	p.hold(n, given, +1)
	return given
}
