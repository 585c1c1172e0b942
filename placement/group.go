package placement

import (
	"cmp"
	"slices"
	"strings"

	"github.com/musterhq/muster/cluster"
)

// group is a run of requests that differ in nothing but the task. What is the
// same for all of them is found once: the nodes that are out of the question,
// the scores, the labels' values.
type group struct {
	plan       *plan
	job        *job
	weight     cluster.Resources // of one task
	candidates []candidate       // by node
	domains    []int             // wanted tasks in each domain; candidates refer to them
	domainIDs  map[string]int
	// refused is the explanation once a request found no node: those after it
	// find none either, because a plan only ever takes room.
	refused string
}

// newGroup finds the candidates for requests like r.
func (p *plan) newGroup(r *Request) *group {
	g := &group{plan: p, job: newJob(r), weight: weight(r.Resources), candidates: p.buffer[:0]}
	lasting := func(i int) bool {
		for _, f := range p.filters {
			if f.lasting && f.check(&p.nodes[i], g.job) != (refusal{}) {
				return false
			}
		}
		return true
	}
	before, given := p.snap.wanted[r.Service], p.given[r.Service]
	add := func(i int) {
		if lasting(i) {
			g.candidates = append(g.candidates, candidate{node: i, service: before[i] + given[i]})
			g.rate(&g.candidates[len(g.candidates)-1])
		}
	}
	if r.Pinned != "" {
		if i, ok := p.snap.index[r.Pinned]; ok {
			add(i)
		}
	} else {
		for i := range p.nodes {
			add(i)
		}
	}
	p.buffer = g.candidates
	g.findDomains()
	return g
}

// rate brings the parts of the score that depend on the node's load up to date.
func (g *group) rate(c *candidate) {
	n := &g.plan.nodes[c.node]
	c.reserved = reserved(n.load.Add(g.weight), n.capacity)
	c.tasks = n.tasks
}

// findDomains gives each candidate its domain for every preferred label and
// counts the service's tasks there, on nodes that are no candidates, too.
func (g *group) findDomains() {
	if len(g.job.Preferences) == 0 {
		return
	}
	g.domainIDs = map[string]int{}
	for i := range g.candidates {
		g.candidates[i].domains = g.domainsOf(g.candidates[i].node)
	}
	for i := range g.plan.nodes {
		if n := g.plan.wanted(g.job.Service, i); n > 0 {
			for _, d := range g.domainsOf(i) {
				g.domains[d] += n
			}
		}
	}
}

// domainsOf is the node's domain for every preferred label, within the domains
// of the labels before it.
func (g *group) domainsOf(node int) []int {
	if len(g.job.Preferences) == 0 {
		return nil
	}
	out := make([]int, 0, len(g.job.Preferences))
	var key strings.Builder
	for _, label := range g.job.Preferences {
		key.WriteString(labelValue(g.plan.nodes[node].Node, label))
		key.WriteByte(0)
		id, ok := g.domainIDs[key.String()]
		if !ok {
			id = len(g.domains)
			g.domainIDs[key.String()] = id
			g.domains = append(g.domains, 0)
		}
		out = append(out, id)
	}
	return out
}

// decide answers one request of the group.
func (g *group) decide(r *Request) {
	g.job.Request = r
	leaves, replaces := g.plan.snap.leaving[r.Replaces]
	if g.refused != "" && !replaces {
		g.plan.refuse(r, g.refused)
		return
	}
	if replaces {
		g.addWanted(leaves, -1)
		defer g.addWanted(leaves, +1)
	}
	var best *candidate
	for i := range g.candidates {
		c := &g.candidates[i]
		if (best == nil || g.compare(c, best) < 0) && g.plan.refusal(c.node, g.job, true) == (refusal{}) {
			best = c
		}
	}
	if best == nil {
		reason := g.plan.explain(g.job)
		if !replaces {
			g.refused = reason
		}
		g.plan.refuse(r, reason)
		return
	}
	g.plan.assign(r, best.node, g.score(best))
	g.addWanted(best.node, +1)
	g.rate(best)
}

// addWanted counts tasks of the service more or less on a node, be it a
// candidate or not.
func (g *group) addWanted(node, n int) {
	for _, d := range g.domainsOf(node) {
		g.domains[d] += n
	}
	i, ok := slices.BinarySearchFunc(g.candidates, node, func(c candidate, node int) int { return cmp.Compare(c.node, node) })
	if ok {
		g.candidates[i].service += n
	}
}

// score writes out what candidates are compared by.
func (g *group) score(c *candidate) Score {
	s := Score{Service: c.service, Reserved: c.reserved, Tasks: c.tasks}
	for i, d := range c.domains {
		label := g.job.Preferences[i]
		s.Spread = append(s.Spread, Domain{Label: label, Value: labelValue(g.plan.nodes[c.node].Node, label), Tasks: g.domains[d]})
	}
	return s
}
