package placement

import (
	"fmt"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// Plan is the answer to a list of requests.
type Plan struct {
	Assign  []Choice
	Pending []Refusal
	// SetAside names services whose requests cannot be decided on.
	SetAside []state.SetAside
}

// Choice is a task's node.
type Choice struct {
	Task cluster.TaskID
	Node cluster.NodeID
	Why  Score
}

// Refusal is why a task has no node.
type Refusal struct {
	Task   cluster.TaskID
	Reason string
}

// Place decides where the requested tasks go, first come, first served: each
// request sees what those before it were given. A request that some node can
// take gets one. The seed decides among equal nodes.
func Place(snap Snapshot, reqs []Request, seed uint64) Plan { return place(snap, reqs, seed, filters) }

func place(snap Snapshot, reqs []Request, seed uint64, filters []filter) Plan {
	p := &plan{
		snap: snap, nodes: snap.working(), filters: filters, ties: make([]uint64, len(snap.nodes)),
		given: map[cluster.ServiceID]map[int]int{}, aside: map[cluster.ServiceID]bool{},
	}
	for i := range p.nodes {
		p.ties[i] = tie(seed, p.nodes[i].ID)
	}
	for i := range reqs {
		p.decide(&reqs[i])
	}
	return p.out
}

// plan is one call of Place.
type plan struct {
	snap    Snapshot
	nodes   []node // with what this plan gave them
	filters []filter
	ties    []uint64 // by node
	given   map[cluster.ServiceID]map[int]int
	aside   map[cluster.ServiceID]bool
	group   *group // of the last request
	buffer  []candidate
	out     Plan
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
	default:
		if p.group == nil || !p.group.job.alike(r) {
			p.group = p.newGroup(r)
		}
		p.group.decide(r)
	}
}

func (p *plan) setAside(r *Request, reason string) {
	p.aside[r.Service] = true
	p.out.SetAside = append(p.out.SetAside, state.SetAside{Service: r.Service, Reason: reason})
	p.refuse(r, "its service is set aside")
}

func (p *plan) refuse(r *Request, reason string) {
	p.out.Pending = append(p.out.Pending, Refusal{Task: r.Task, Reason: reason})
}

// wanted is how many tasks of the service the node has, with those that this
// plan gave it.
func (p *plan) wanted(s cluster.ServiceID, node int) int {
	return p.snap.wanted[s][node] + p.given[s][node]
}

// refusal is the first thing in the way of the job on the node. With changing
// set, filters with lasting answers are left out.
func (p *plan) refusal(i int, j *job, changing bool) refusal {
	if j.MaxPerNode > 0 {
		j.here = p.wanted(j.Service, i)
		if leaves, ok := p.snap.leaving[j.Replaces]; ok && leaves == i {
			j.here--
		}
	}
	for _, f := range p.filters {
		if changing && f.lasting {
			continue
		}
		if r := f.check(&p.nodes[i], j); r != (refusal{}) {
			return r
		}
	}
	return refusal{}
}

// assign gives the node to the request.
func (p *plan) assign(r *Request, i int, why Score) {
	n := &p.nodes[i]
	n.free = n.free.Sub(r.Resources)
	n.load = n.load.Add(weight(r.Resources))
	n.tasks++
	n.ports = append(n.ports, r.HostPorts...)
	if p.given[r.Service] == nil {
		p.given[r.Service] = map[int]int{}
	}
	p.given[r.Service][i]++
	p.out.Assign = append(p.out.Assign, Choice{Task: r.Task, Node: n.ID, Why: why})
}
