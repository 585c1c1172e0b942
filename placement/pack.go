package placement

import (
	"cmp"
	"slices"
)

// pack empties one host after the other, those that hold least first. A host is
// emptied as a whole or not at all.
func (b *balance) pack() {
	for emptied := true; emptied && !b.full(); {
		emptied = false
		for _, n := range b.packable() {
			if emptied = b.empty(n); emptied || b.full() {
				break
			}
		}
	}
}

// packable are the nodes whose tenants, but for those that are bound to them, may
// all move and have policies that pack; those that hold least first.
func (b *balance) packable() []int {
	movable := map[int]int{}
	for _, h := range b.houses {
		for n, tenants := range h.movable {
			if h.policy.packs() {
				movable[n] += len(tenants)
			}
		}
	}
	var out []int
	for n, tenants := range movable {
		if tenants > 0 && tenants == b.lodgers[n] {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(x, y int) int {
		return cmp.Or(cmp.Compare(b.packed(y), b.packed(x)), cmp.Compare(b.snap.nodes[x].ID, b.snap.nodes[y].ID))
	})
	return out
}

// empty finds other hosts in use for all of a node's tenants, the largest first,
// and reports whether it did. Of moves that are too many the first are made.
func (b *balance) empty(n int) bool {
	var trips []trip
	for _, h := range b.houses {
		for _, t := range h.movable[n] {
			trips = append(trips, trip{tenant: t, house: h, from: n, why: "its node is emptied"})
		}
	}
	b.largestFirst(trips, n)
	for i := range trips {
		t := &trips[i]
		if !b.intoUse(t) {
			for _, t := range slices.Backward(trips[:i]) {
				b.carry(&t, t.to, t.from)
			}
			return false
		}
		b.carry(t, t.from, t.to)
	}
	for i := range trips {
		if !b.mayMove(trips[i].tenant.Service) {
			b.cut = true
			break
		}
		b.note(&trips[i])
	}
	return true
}

// intoUse finds the host in use that the policy would choose of those that the
// tenant comes no closer to others of its service on, and that gain by it.
func (b *balance) intoUse(t *trip) bool {
	leaving := t.house.request
	leaving.Leaves = b.snap.nodes[t.from].ID
	g := b.newGroup(&leaving)
	b.visits += len(g.candidates)
	var best *candidate
	for i := range g.candidates {
		c := &g.candidates[i]
		if b.lodgers[c.node] == 0 || c.failed+int(c.crowded) > 0 || best != nil && g.compare(c, best) >= 0 || b.refusal(c.node, g.job, true) != (refusal{}) {
			continue
		}
		if g.settle(c); best != nil && g.compare(c, best) >= 0 {
			continue
		}
		to := *t
		to.to = c.node
		apart := b.apart(&to)
		if to.gain = apart + b.evener(&to); apart >= 0 && to.gain > noGain {
			*t, best = to, c
		}
	}
	return best != nil
}
