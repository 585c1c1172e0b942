package placement

import (
	"cmp"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// shedTo is m: a busy node sheds 1/m of its load to the m nodes that use least, or
// to all others where there are fewer.
const shedTo = 4

// Shed finds moves of tasks with the policy realtime off nodes that were measured
// to use more than their threshold, the busiest first. A move that would make
// another node too busy, or is not for more than the threshold of Rebalance, is
// not made.
func Shed(snap Snapshot, tenants []Tenant, o Rebalancing) []Move {
	b := newBalance(snap, tenants, o)
	for _, n := range b.byUse() {
		if b.measuredHot(n) && !b.full() {
			b.shed(n)
		}
	}
	return b.out
}

// byUse are the nodes that were measured, those that use most first.
func (b *balance) byUse() []int {
	var out []int
	for n, measured := range b.snap.measured {
		if measured {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(x, y int) int {
		return cmp.Or(cmp.Compare(b.share(y), b.share(x)), cmp.Compare(b.snap.nodes[x].ID, b.snap.nodes[y].ID))
	})
	return out
}

// share is what a node uses of its fullest dimension.
func (b *balance) share(n int) float64 { return b.most(&b.used[n], n) }

// shed moves tasks off a node, the largest that are not more than what is left to
// shed.
func (b *balance) shed(n int) {
	to := slices.DeleteFunc(b.byUse(), func(o int) bool { return o == n || !b.open.has(o) })
	to = to[max(len(to)-shedTo, 0):]
	if len(to) == 0 {
		return
	}
	left := b.share(n) / float64(len(to))
	for _, t := range b.loads(n) {
		size := b.shareOf(t.tenant, n)
		if size > left || !b.mayMove(t.tenant.Service) || !b.leastUsed(&t, to) {
			continue
		}
		b.carry(&t, t.from, t.to)
		b.note(&t)
		left -= size
	}
}

// loads are the tenants that may be shed, those that use most first.
func (b *balance) loads(n int) []trip {
	var out []trip
	for _, h := range b.houses {
		if h.policy.name != cluster.PolicyRealtime {
			continue
		}
		for _, t := range h.movable[n] {
			out = append(out, trip{tenant: t, house: h, from: n, why: "its node is busy"})
		}
	}
	b.largestFirst(out, n)
	return out
}

// leastUsed finds the first of the nodes, least used ones first, that takes the
// tenant well.
func (b *balance) leastUsed(t *trip, to []int) bool {
	g := b.newGroup(&t.house.request)
	b.visits += len(g.candidates)
	to = slices.Clone(to)
	slices.SortFunc(to, func(x, y int) int {
		return cmp.Or(cmp.Compare(b.share(x), b.share(y)), cmp.Compare(b.snap.nodes[x].ID, b.snap.nodes[y].ID))
	})
	for _, n := range to {
		c := g.on(b.snap.nodes[n].ID)
		if c == nil || c.failed+int(c.crowded) > 0 {
			continue
		}
		if t.to = n; !b.hotWith(t) && b.worth(t) {
			return true
		}
	}
	return false
}
