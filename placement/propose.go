package placement

import (
	"cmp"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// propose finds the smallest changes that let some node take the job: of those
// nodes that one change opens the cheapest of each kind, or else the node that
// needs the fewest. Each is tried before it is told.
func (p *plan) propose(j *job) []Proposal {
	p.expect(j)
	single := map[string]Proposal{}
	var several Proposal
	for i, n := range p.snap.nodes {
		if j.Pinned != "" && j.Pinned != n.ID {
			continue
		}
		switch q := (Proposal{node: n, Changes: p.changes(i, j)}); {
		case len(q.Changes) == 0:
		case len(q.Changes) > 1:
			if several.node == nil || q.compare(&several) < 0 {
				several = q
			}
		default:
			what := q.Changes[0].key()
			if old, ok := single[what]; !ok || q.compare(&old) < 0 {
				single[what] = q
			}
		}
	}
	var all []Proposal
	for _, q := range single {
		all = append(all, q)
	}
	slices.SortFunc(all, func(a, b Proposal) int { return a.compare(&b) })
	if several.node != nil {
		all = append(all, several)
	}
	var out []Proposal
	for tries := 0; tries < len(all) && tries < 2*maxProposals && len(out) < maxProposals; tries++ {
		if q := all[tries]; (len(out) == 0 || len(q.Changes) == 1) && q.helps(p.snap, *j.Request, p.seed) {
			out = append(out, q)
		}
	}
	return out
}

// expect counts what nodes that are down would have of the services that matter
// to the job if they were back: nothing changes on them before they are.
func (p *plan) expect(j *job) {
	for _, service := range append([]cluster.ServiceID{j.Service}, p.snap.apart[j.Service]...) {
		for n, tasks := range p.snap.absent[service] {
			p.wantedOf(service)[n] += tasks
		}
	}
	if n, ok := p.snap.absentLeaving[j.Replaces]; ok {
		j.wanted[n]--
	}
}

// back is the snapshot with a node that was down.
func (s *Snapshot) back(n int, r *Request) {
	for service, on := range s.absent {
		if on[n] > 0 {
			s.count(service, n, s.wanted[service][n]+on[n])
		}
	}
	if i, ok := s.absentLeaving[r.Replaces]; ok && i == n {
		s.leaving = map[cluster.TaskID]int{r.Replaces: n}
	}
}

// changes are what has to be different for the node to take the job; none where
// nothing has to, what stands in the way cannot be changed, or is too much.
func (p *plan) changes(n int, j *job) []Change {
	var out []Change
	for i := range p.filters {
		f := &p.filters[i]
		if f.check(p, n, j) == (refusal{}) {
			continue
		}
		remedy := remedies[f.name]
		if remedy == nil {
			return nil
		}
		some := remedy(p, n, j)
		if out = append(out, some...); len(some) == 0 || len(out) > maxChanges {
			return nil
		}
	}
	return out
}

// helps runs placement with the changes made.
func (q *Proposal) helps(s Snapshot, r Request, seed uint64) bool {
	for _, c := range q.Changes {
		c.do(&s, &r)
	}
	return len(Place(s, []Request{r}, seed).Assign) == 1
}

// compare orders proposals: fewer changes first, then the cheaper kinds, then the
// smaller ones, and among equals the nodes' names decide.
func (q *Proposal) compare(o *Proposal) int {
	if c := cmp.Compare(len(q.Changes), len(o.Changes)); c != 0 {
		return c
	}
	for _, by := range []func(c *Change) float64{
		func(c *Change) float64 { return float64(slices.Index(kinds, c.Kind)) },
		func(c *Change) float64 { return c.size },
	} {
		if c := cmp.Compare(worstOf(q.Changes, by), worstOf(o.Changes, by)); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(q.node.Name, o.node.Name), cmp.Compare(q.node.ID, o.node.ID))
}

func worstOf(changes []Change, by func(c *Change) float64) float64 {
	out := 0.0
	for i := range changes {
		out = max(out, by(&changes[i]))
	}
	return out
}
