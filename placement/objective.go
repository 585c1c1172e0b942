package placement

import (
	"cmp"
	"slices"
)

// The objective of docs/placement.md, of which moves make less. It is a sum over
// services and over nodes, so that what a move changes is seen at the two nodes
// and the domains around them.

// levelWeight is by how much more tasks of a service in the same domain of a label
// count than those in the same of the next label, or on the same node.
const levelWeight = 10

// objective is the whole of it.
func (b *balance) objective() float64 {
	sum := 0.0
	for i, h := range b.houses {
		if i > 0 && b.houses[i-1].request.Service == h.request.Service {
			continue
		}
		on := b.wantedOf(h.request.Service)
		s := b.spread(h.request.Preferences)
		domains := make([]int, len(s.domains))
		for n, tasks := range on {
			if h.policy.apart {
				sum += float64(tasks * tasks)
			}
			for d := s.leaf[n]; d > 0; d = s.domains[d].parent {
				domains[d] += tasks
			}
			sum -= float64(tasks*b.likes(h, n)) / 100
		}
		for d := len(domains) - 1; d > 0; d-- {
			sum += s.weight(int32(d)) * float64(domains[d]*domains[d])
		}
	}
	for n := range b.snap.nodes {
		sum += b.cost(n)
	}
	return sum
}

// weight is that of a domain's level.
func (s *spread) weight(d int32) float64 {
	w := 1.0
	for range len(s.labels) - s.depth(d) + 1 {
		w *= levelWeight
	}
	return w
}

// depth is the level of a domain: 1 is that of the first label.
func (s *spread) depth(d int32) int {
	n := 0
	for ; d > 0; d = s.domains[d].parent {
		n++
	}
	return n
}

func (b *balance) likes(h *house, n int) int { return b.liked(&job{Request: &h.request}, n) }

// apart is by how much less the objective is after a move, as to the service's
// distance and what it likes.
func (b *balance) apart(t *trip) float64 {
	on := b.wantedOf(t.tenant.Service)
	gain := float64(b.likes(t.house, t.to)-b.likes(t.house, t.from)) / 100
	if t.house.policy.apart {
		gain += squares(on[t.from], on[t.to])
	}
	s := b.spread(t.house.request.Preferences)
	if s.leaf[t.from] == s.leaf[t.to] {
		return gain
	}
	in := func(d int32) int {
		tasks := 0
		for n, k := range on {
			if s.within(s.leaf[n], d) {
				tasks += k
			}
		}
		return tasks
	}
	for x, y := s.leaf[t.from], s.leaf[t.to]; x != y; x, y = s.domains[x].parent, s.domains[y].parent {
		gain += s.weight(x) * squares(in(x), in(y))
	}
	return gain
}

// squares is by how much less the sum of two squares is when one goes from the
// first to the second.
func squares(from, to int) float64 { return float64(2 * (from - to - 1)) }

// within reports whether a domain is another or in it.
func (s *spread) within(d, outer int32) bool {
	for d > outer {
		d = s.domains[d].parent
	}
	return d == outer
}

// evener is by how much less the objective is after a move, as to the nodes.
func (b *balance) evener(t *trip) float64 {
	before := b.cost(t.from) + b.cost(t.to)
	b.carry(t, t.from, t.to)
	after := b.cost(t.from) + b.cost(t.to)
	b.carry(t, t.to, t.from)
	return before - after
}

// cost is a node's part of the objective.
func (b *balance) cost(n int) float64 {
	if b.o.Pack {
		return b.packed(n)
	}
	x := b.most(&b.load[n], n)
	if b.snap.measured[n] {
		x = max(x, b.most(&b.used[n], n))
	}
	return x*x + b.heat(n)
}

// most is the share of the node's fullest dimension.
func (b *balance) most(load *vector, n int) float64 {
	p := prospect{per: &b.snap.per[n], more: b.snap.more}
	return p.most(load)
}

// heat is by how much a measured node is too busy.
func (b *balance) heat(n int) float64 {
	if !b.snap.measured[n] {
		return 0
	}
	return heat(&b.used[n], &b.snap.per[n])
}

func (b *balance) measuredHot(n int) bool { return b.heat(n) > 0 }

// hotWith reports whether the trip's end would be too busy with the task.
func (b *balance) hotWith(t *trip) bool {
	b.carry(t, t.from, t.to)
	defer b.carry(t, t.to, t.from)
	return b.measuredHot(t.to)
}

// packed is 1 for a node with tasks that are bound to none, less the mean square
// of its shares: hosts in use cost, and full ones less.
func (b *balance) packed(n int) float64 {
	if b.lodgers[n] == 0 {
		return 0
	}
	sum := 0.0
	for d := range b.load[n] {
		s := min(float64(b.load[n][d])*b.snap.per[n][d], 1)
		sum += s * s
	}
	return 1 - sum/dims
}

// sources are the nodes with tenants that may move, those first that they would
// be missed least on; none where no move of theirs could be worth it.
func (b *balance) sources(h *house) []int {
	type source struct {
		node   int
		relief float64
	}
	var all []source
	on := b.wantedOf(h.request.Service)
	s := b.spread(h.request.Preferences)
	domains := make([]int, len(s.domains))
	for n, tasks := range on {
		for d := s.leaf[n]; d > 0; d = s.domains[d].parent {
			domains[d] += tasks
		}
	}
	for n, tenants := range h.movable {
		if len(tenants) == 0 {
			continue
		}
		relief, more := 0.0, len(h.request.Affinities) > 0 || !h.policy.packs() || b.measuredHot(n)
		if h.policy.apart {
			relief += float64(2*on[n] - 1)
			more = more || on[n] > 1
		}
		for d := s.leaf[n]; d > 0; d = s.domains[d].parent {
			relief += s.weight(d) * float64(2*domains[d]-1)
			more = more || domains[d] > 1
		}
		if more {
			all = append(all, source{n, relief + b.cost(n)})
		}
	}
	slices.SortFunc(all, func(x, y source) int {
		return cmp.Or(cmp.Compare(y.relief, x.relief), cmp.Compare(b.snap.nodes[x.node].ID, b.snap.nodes[y.node].ID))
	})
	out := make([]int, len(all))
	for i, s := range all {
		out[i] = s.node
	}
	return out
}
