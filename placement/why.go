package placement

import (
	"slices"

	"github.com/musterhq/muster/cluster"
)

const (
	// maxCandidates and maxProposals bound an Answer, maxChanges a proposal, and
	// maxNames the nodes that are named of each group that cannot take the task.
	maxCandidates = 10
	maxProposals  = 3
	maxChanges    = 3
	maxNames      = 5
)

// Answer is where a task could be now, and why it is nowhere else.
type Answer struct {
	// Able is how many nodes can take the task; the best of them come first in
	// Candidates, and the node where it is is among them if it could go there.
	Able       int
	Candidates []Candidate
	// Refused are the others in groups, the largest first.
	Refused []Refused
	// Proposals are the smallest changes after which some node could take it,
	// the best first; none where some can already or no small one would do.
	Proposals []Proposal
	// Invalid is why the service's spec cannot be read.
	Invalid string
}

// Candidate is a node that can take the task.
type Candidate struct {
	Node *cluster.Node
	Rank int // from 1, by the score
	Why  Score
	Lost Loss // to the first; of the first itself nothing
}

// Refused are nodes that cannot take the task for the same reason.
type Refused struct {
	Reason string
	Nodes  int
	Names  []string // of some of them
}

// Why explains one request. at is the node that holds the task, whose room the
// task may have again, or "" for one that waits. It looks at every node a few
// times and changes nothing.
func Why(snap Snapshot, r Request, at cluster.NodeID, seed uint64) Answer {
	if r.Invalid != "" {
		return Answer{Invalid: r.Invalid}
	}
	if i, ok := snap.index[at]; ok {
		snap = snap.vacate(&r, i)
	}
	p := newPlan(snap, seed, filters)
	if at == "" {
		p.see(&r)
	}
	g := p.newGroup(&r)
	defer g.leave(&r)()
	a := Answer{}
	a.rank(g, at)
	a.refuse(p, g.job)
	if a.Able == 0 && at == "" {
		a.Proposals = p.propose(g.job)
	}
	return a
}

// vacate is the snapshot without the task that r asks for on one of its nodes.
func (s *Snapshot) vacate(r *Request, n int) Snapshot {
	out := *s
	out.free, out.load, out.used = slices.Clone(s.free), slices.Clone(s.load), slices.Clone(s.used)
	out.tasks, out.ports = slices.Clone(s.tasks), slices.Clone(s.ports)
	demand := vectorOf(r.Resources)
	held := weight(demand)
	out.slack = slices.Clone(s.slack)
	out.free[n].add(&demand)
	if s.measured[n] {
		out.slack[n] += demand[dimCPU]
	}
	out.load[n].sub(&held)
	out.used[n].sub(&held)
	for d := range out.used[n] {
		out.used[n][d] = max(out.used[n][d], 0) // a task may use less than it reserves
	}
	out.tasks[n]--
	out.ports[n] = slices.DeleteFunc(slices.Clone(s.ports[n]), func(p cluster.Port) bool { return slices.Contains(r.HostPorts, p) })
	if s.wanted[r.Service][n] > 0 {
		out.count(r.Service, n, s.wanted[r.Service][n]-1)
	}
	return out
}

// count says how many wanted tasks of a service a node has. The counts of the
// others are shared with the snapshot that s is a copy of.
func (s *Snapshot) count(service cluster.ServiceID, node, n int) {
	all, on := make(map[cluster.ServiceID]map[int]int, len(s.wanted)), map[int]int{}
	for id, counts := range s.wanted {
		all[id] = counts
	}
	for i, m := range s.wanted[service] {
		on[i] = m
	}
	on[node] = n
	all[service], s.wanted = on, all
}

// rank puts the nodes that can take the task in order.
func (a *Answer) rank(g *group, at cluster.NodeID) {
	var able []*candidate
	for i := range g.candidates {
		if c := &g.candidates[i]; g.plan.refusal(c.node, g.job, true) == (refusal{}) {
			g.settle(c)
			able = append(able, c)
		}
	}
	slices.SortFunc(able, g.compare)
	a.Able = len(able)
	for i, c := range able {
		if node := g.plan.snap.nodes[c.node]; i < maxCandidates || node.ID == at {
			a.Candidates = append(a.Candidates, Candidate{Node: node, Rank: i + 1, Why: g.score(c), Lost: g.lost(able[0], c)})
		}
	}
}

// refuse groups the nodes that cannot take the task by the first rule that they
// fail.
func (a *Answer) refuse(p *plan, j *job) {
	if _, ok := p.snap.index[j.Pinned]; j.Pinned != "" && !ok {
		a.Refused = []Refused{{Reason: p.explain(j)}}
		return
	}
	var t tally
	names := map[string][]string{}
	for i, n := range p.snap.nodes {
		if r := p.refusal(i, j, false); (j.Pinned == "" || j.Pinned == n.ID) && r != (refusal{}) {
			t.add(r)
			names[r.kind()] = append(names[r.kind()], n.Name)
		}
	}
	for _, r := range t.reasons() {
		list := names[r.kind]
		slices.Sort(list)
		a.Refused = append(a.Refused, Refused{Reason: r.text, Nodes: r.nodes, Names: list[:min(len(list), maxNames)]})
	}
}
