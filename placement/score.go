package placement

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/musterhq/muster/cluster"
)

// Score is why a node was the best of those that could take a task. Its parts
// are compared in order, and less is better; among equals a hash of the node
// and the plan's seed decides.
type Score struct {
	Policy cluster.Policy
	// Failed is how often tasks of the service failed there lately; 0 where
	// that was not often.
	Failed int
	// Crowded is 1 where more than one and a half times the node's CPU would be
	// promised or used.
	Crowded int
	// Spread is how many of the service's tasks share the node's value of
	// each preferred label, and of those before it.
	Spread []Domain
	// Service is how many of the service's tasks the node has; 0 where the
	// policy does not look at it.
	Service int
	// Near is how far the services are that it is to be near to.
	Near nearness
	// Cost is what the policy's Terms come to, in millionths; their sum is
	// compared. A task that reserves no CPU counts as a tenth of a core, one
	// that reserves no memory as 64 MiB.
	Cost [maxTerms]int64
	// Affinity is the sum of the weights of what the service likes about the
	// node, in hundredths of a full node's cost; it is taken off the cost.
	Affinity int
	// Fetch is what is added to the cost because the node lacks the image, in
	// millionths.
	Fetch int64
	// Tasks is how many tasks the node has, of all services.
	Tasks int
}

// Terms names the parts of the cost.
func (s Score) Terms() []string { return policyOf(s.Policy).terms }

// Domain is a value of a label and the tasks of a service there.
type Domain struct {
	Label, Value string
	Tasks        int
}

func (s Score) String() string { return string(s.append(nil)) }

// append writes the score behind b: this is done for every task of a plan.
func (s *Score) append(b []byte) []byte {
	if s.Failed > 0 {
		b = append(b, "failed there "...)
		b = strconv.AppendInt(b, int64(s.Failed), 10)
		b = append(b, " times lately, "...)
	}
	if s.Crowded > 0 {
		b = append(b, "its CPU is crowded, "...)
	}
	for i := range s.Spread {
		d := &s.Spread[i]
		b = strconv.AppendInt(b, int64(d.Tasks), 10)
		b = append(b, " of the service in "...)
		b = append(append(append(b, d.Label...), '='), d.Value...)
		b = append(b, ", "...)
	}
	if policyOf(s.Policy).apart {
		b = strconv.AppendInt(b, int64(s.Service), 10)
		b = append(b, " on the node, "...)
	}
	if s.Near != 0 {
		b = fmt.Appendf(b, "%s, ", s.Near)
	}
	for i, term := range s.Terms() {
		b = append(append(b, term...), ' ')
		b = append(appendPercent(b, s.Cost[i]), ", "...)
	}
	if s.Affinity != 0 {
		b = append(b, "affinity "...)
		b = strconv.AppendInt(b, int64(s.Affinity), 10)
		b = append(b, "%, "...)
	}
	if s.Fetch > 0 {
		b = append(appendPercent(append(b, "image to fetch "...), s.Fetch), ", "...)
	}
	b = strconv.AppendInt(b, int64(s.Tasks), 10)
	return append(b, " tasks"...)
}

// appendPercent writes millionths.
func appendPercent(b []byte, millionths int64) []byte {
	return append(strconv.AppendFloat(b, float64(millionths)/1e4, 'f', 2, 64), '%')
}

// compare orders candidates, better ones first.
func (g *group) compare(a, b *candidate) int {
	if a.failed != b.failed {
		return cmp.Compare(a.failed, b.failed)
	}
	if a.crowded != b.crowded {
		return cmp.Compare(a.crowded, b.crowded)
	}
	if a.leaf != b.leaf {
		if c := g.compareDomains(a.leaf, b.leaf); c != 0 {
			return c
		}
	}
	if a.service != b.service {
		return cmp.Compare(a.service, b.service)
	}
	if a.near != b.near {
		return cmp.Compare(a.near, b.near)
	}
	if a.cost != b.cost {
		return cmp.Compare(a.cost, b.cost)
	}
	if a.tasks != b.tasks {
		return cmp.Compare(a.tasks, b.tasks)
	}
	if a.tie != b.tie {
		return cmp.Compare(a.tie, b.tie)
	}
	nodes := g.plan.snap.nodes
	return cmp.Compare(nodes[a.node].ID, nodes[b.node].ID)
}

// compareDomains orders domains of one level by the tasks in them; those of the
// outer levels come first.
func (g *group) compareDomains(a, b int32) int {
	if a == b {
		return 0
	}
	if c := g.compareDomains(g.spread.domains[a].parent, g.spread.domains[b].parent); c != 0 {
		return c
	}
	return cmp.Compare(g.counts[a], g.counts[b])
}

// score writes out what a candidate is compared by.
func (g *group) score(c *candidate) Score {
	return Score{
		Policy: g.policy.name, Spread: g.domainsOf(c.leaf), Service: c.service,
		Cost: g.costs(c.node).parts(), Affinity: c.liked, Fetch: g.fetchOf(c), Failed: c.failed, Crowded: int(c.crowded), Near: c.near, Tasks: int(c.tasks),
	}
}

// domainsOf writes out a domain and those around it, outer ones first.
func (g *group) domainsOf(leaf int32) []Domain {
	levels := len(g.spread.labels)
	if levels == 0 {
		return nil
	}
	out := g.plan.newDomains(levels)
	for d, i := leaf, levels-1; i >= 0; i-- {
		at := &g.spread.domains[d]
		out[i] = Domain{Label: g.spread.labels[i], Value: at.value, Tasks: g.counts[d]}
		d = at.parent
	}
	return out
}

// newDomains is room for n domains, made for many scores at once.
func (p *plan) newDomains(n int) []Domain {
	if len(p.domains) < n {
		p.domains = make([]Domain, max(n, 1024))
	}
	out := p.domains[:n:n]
	p.domains = p.domains[n:]
	return out
}

// tie gives every node its place among equals: the finaliser of SplitMix64
// spreads neighbouring seeds.
func tie(seed, hash uint64) uint64 {
	x := hash ^ seed*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
