package placement

import (
	"cmp"
	"slices"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/placement/packing"
)

// group is a run of requests that differ in nothing but the task. What is the
// same for all of them is found once: the nodes that are out of the question,
// the scores, the labels' values.
type group struct {
	plan       *plan
	job        *job
	policy     *policy
	weight     vector      // of one task
	more       bool        // there is more in it than CPU and memory
	prospect   prospect    // what the policy looks at; one for all, as it is asked so often
	candidates []candidate // by node
	fetch      int64       // what a node that lacks the image costs more, in millionths
	priced     bool        // the policy goes by the price of room, and the tasks ask for some
	nominal    bool        // some task counts for more than it reserves
	prices     *packing.Prices
	question   packing.Question
	spread     *spread
	counts     []int // wanted tasks, by domain of the spread
	// decided is how many requests were answered, and tree the candidates in
	// order: the first request needs none, one look at each candidate is less
	// than ordering them.
	decided int
	tree    *tree
	// refused is the explanation once a request found no node: those after it
	// find none either, because a plan only ever takes room.
	refused string
}

// candidate is a node that may take the tasks of a group, and what it is
// compared by.
type candidate struct {
	node    int
	leaf    int32 // domain
	crowded int8  // 1 where the CPU would be
	near    nearness
	fetches bool  // it lacks the image
	failed  int   // times that the service failed there, if often
	liked   int   // weights of the affinities that the node matches
	service int   // tasks of the service; 0 where the policy does not care
	cost    int64 // in millionths
	rough   bool  // the cost may be more, as it is quick to tell: settle
	small   bool  // the task does not fit: neither cost nor filters are asked
	tasks   int32
	tie     uint64
}

// newGroup finds the candidates for requests like r.
func (p *plan) newGroup(r *Request) *group {
	j := p.newJob(r)
	g := &group{
		plan: p, job: j, policy: policyOf(cmp.Or(r.placement().Policy, p.snap.policy)), weight: weight(vectorOf(r.Resources)), spread: p.spread(r.Preferences),
	}
	g.more, g.nominal = g.weight.more(), p.nominal || g.weight != j.demand
	if g.priced = g.policy.priced && j.demand != (vector{}); g.priced {
		g.ask(p.prices())
	}
	g.counts = make([]int, len(g.spread.domains))
	near, image := p.near(r), p.snap.images[r.Image]
	g.fetch = image.fetch
	eligible := p.eligible(j)
	g.candidates = slices.Grow(p.candidates[:0], eligible.count())
	for i := range eligible.all() {
		g.candidates = g.candidates[:len(g.candidates)+1]
		c := &g.candidates[len(g.candidates)-1]
		*c = candidate{node: i, leaf: g.spread.leaf[i], tie: tie(p.seed, p.snap.hashes[i])}
		if len(j.Affinities) > 0 {
			c.liked = p.liked(j, i)
		}
		if near.zones != nil {
			c.near = near.of(i)
		}
		c.fetches = image.fetch > 0 && !image.on.has(i)
		g.rate(c)
	}
	p.candidates = g.candidates
	p.visits += len(g.candidates)
	for node, n := range j.wanted {
		g.count(node, n)
	}
	for node, n := range p.snap.failing[r.Service] {
		if i, ok := g.candidate(node); ok {
			g.candidates[i].failed = n
		}
	}
	return g
}

// eligible are the nodes that no filter with a lasting answer refuses. The set
// is good until the next call.
func (p *plan) eligible(j *job) bitset {
	clear(p.set)
	if j.Pinned == "" {
		copy(p.set, p.open)
	} else if i, ok := p.snap.index[j.Pinned]; ok {
		p.set.set(i)
	}
	for i := range p.filters {
		if narrow := p.filters[i].narrow; narrow != nil {
			narrow(p, j, p.set)
		}
	}
	return p.set
}

// rate brings the parts of the score that depend on the node's load up to date.
func (g *group) rate(c *candidate) {
	c.small = g.priced && !g.job.demand.fits(&g.plan.free[c.node])
	switch {
	case c.small:
		c.cost = worst * millionths
	case g.priced:
		c.rough = true
		g.charge(c, g.floor(c.node))
	default:
		g.charge(c, g.costs(c.node).sum())
	}
	c.tasks = g.plan.tasks[c.node]
	c.crowded = 0
	if g.plan.slack[c.node] < g.job.demand[dimCPU] {
		c.crowded = 1
	}
}

// fetchOf is what it costs that the candidate lacks the image.
func (g *group) fetchOf(c *candidate) int64 {
	if c.fetches {
		return g.fetch
	}
	return 0
}

// settle says what a candidate costs, which can take the task, where it is not known
// well.
func (g *group) settle(c *candidate) {
	if c.rough {
		c.rough = false
		g.charge(c, g.settled(c.node))
	}
}

func (g *group) charge(c *candidate, cost int64) {
	c.cost = cost - int64(c.liked)*(millionths/cluster.MaxWeight) + g.fetchOf(c)
}

// liked is the sum of the weights of the job's affinities that the node matches.
func (p *plan) liked(j *job, node int) int {
	sum := 0
	for _, a := range j.Affinities {
		if p.matching(a.Constraint).has(node) {
			sum += a.Weight
		}
	}
	return sum
}

// costs is what the node costs by the policy.
func (g *group) costs(node int) cost {
	p, n := g.plan, &g.prospect
	if g.priced {
		return priced(g.price(node), g.busy(node))
	}
	n.measured = p.snap.measured[node]
	n.per, n.demand = &p.snap.per[node], &g.job.demand
	n.tasks, n.more = float64(p.tasks[node]), p.more || g.more
	n.load.sum(&p.load[node], &g.weight, n.more)
	n.used.sum(&p.used[node], &g.weight, n.more)
	return g.policy.rate(n)
}

// count adds tasks of the service to a node, be it a candidate or not, and to
// the domains around it. It returns where the node's candidate is.
func (g *group) count(node, n int) (at int, ok bool) {
	for d := g.spread.leaf[node]; d > 0; d = g.spread.domains[d].parent {
		g.counts[d] += n
	}
	i, ok := g.candidate(node)
	if ok && g.policy.apart {
		g.candidates[i].service += n
	}
	return i, ok
}

// candidate finds a node's candidate.
func (g *group) candidate(node int) (at int, ok bool) {
	return slices.BinarySearchFunc(g.candidates, node, func(c candidate, node int) int { return cmp.Compare(c.node, node) })
}

// decide answers one request of the group.
func (g *group) decide(r *Request) {
	g.job.Request = r
	_, replaces := g.plan.snap.leaving[r.Replaces]
	g.plan.visits++
	if g.refused != "" && !replaces {
		g.plan.refuse(r, g.refused)
		return
	}
	g.reprice()
	defer g.leave(r)()
	best, second := g.best()
	if told := g.directed(r, best); told != best {
		best, second = told, nil
	}
	g.decided++
	if best == nil {
		if reason, ok := g.plan.makeRoom(g.job); ok {
			g.plan.refuse(r, reason)
			return
		}
		reason := g.plan.explain(g.job)
		if !replaces {
			g.refused = reason
		}
		g.plan.refuse(r, reason)
		return
	}
	g.plan.choose(r, g.policy, g.take(best, second))
}

// leave has the task that r replaces not count as one of the service's, until
// the returned function is called.
func (g *group) leave(r *Request) (back func()) {
	node, replaces := g.plan.snap.leaving[r.Replaces]
	if !replaces {
		return func() {}
	}
	g.addWanted(node, -1)
	return func() { g.addWanted(node, +1) }
}

// take gives the candidate's node to the group's request; second is who comes
// after it, or nil.
func (g *group) take(c, second *candidate) Choice {
	choice := Choice{Task: g.job.Task, Node: g.plan.snap.nodes[c.node].ID, Why: g.score(c)}
	if second != nil {
		choice.Second, choice.Lost = g.plan.snap.nodes[second.node], g.lost(c, second)
	}
	choice.Devices = g.plan.give(g.job, c.node, &g.weight)
	g.rate(c)
	g.addWanted(c.node, +1)
	return choice
}

// best is the first candidate in order that can take a task now, and the one
// after it; nil where there is none.
func (g *group) best() (best, second *candidate) {
	if g.decided == 0 {
		return g.scan()
	}
	if g.tree == nil {
		g.tree = newTree(g)
	}
	return g.able(g.tree.best), g.able(g.tree.second)
}

// able is the candidate that next finds in the tree, once those that can take no
// task are out of it.
func (g *group) able(next func() (candidate int, ok bool)) *candidate {
	for {
		i, ok := next()
		if !ok {
			return nil
		}
		c := &g.candidates[i]
		switch able := g.plan.refusal(c.node, g.job, true) == (refusal{}); {
		case able && !c.rough:
			return c
		case able:
			g.settle(c)
			g.tree.restore(i)
		default:
			g.tree.remove(i)
			g.plan.visits++
		}
	}
}

// scan looks at every candidate once.
func (g *group) scan() (best, second *candidate) {
	for i := range g.candidates {
		c := &g.candidates[i]
		if c.small || second != nil && g.compare(c, second) >= 0 || g.plan.refusal(c.node, g.job, true) != (refusal{}) {
			continue
		}
		if g.settle(c); second != nil && g.compare(c, second) >= 0 {
			continue
		}
		if second = c; best == nil || g.compare(c, best) < 0 {
			best, second = c, best
		}
	}
	return best, second
}

// addWanted counts tasks of the service more or less on a node.
func (g *group) addWanted(node, n int) {
	g.job.wanted[node] += n
	i, ok := g.count(node, n)
	switch {
	case g.tree == nil:
	case ok:
		g.tree.restore(i)
	default:
		g.tree.fix(g.spread.leaf[node])
	}
}
