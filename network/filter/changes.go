package filter

import (
	"maps"
	"slices"
)

// changes lead from one table to another while packets pass: the sets stay, and
// so does every element and every chain that is the same in both.
type changes struct {
	newChains, changedChains, goneChains []chain
	elements                             []elementChange
}

// elementChange is of one set. An element that leads elsewhere goes and comes.
type elementChange struct {
	set         set
	leave, come map[string]string
}

// changesBetween is what differs; it is not possible where a set that is not a
// plain map is not the same, or there is another one.
func changesBetween(old, next table) (c changes, possible bool) {
	if old.family != next.family || len(old.sets) != len(next.sets) {
		return changes{}, false
	}
	for i, s := range next.sets {
		if s.name != old.sets[i].name {
			return changes{}, false
		}
		d := elementChange{set: s, leave: missing(old.sets[i].elements, s.elements), come: missing(s.elements, old.sets[i].elements)}
		if len(d.leave)+len(d.come) == 0 {
			continue
		}
		if s.interval {
			return changes{}, false
		}
		c.elements = append(c.elements, d)
	}
	c.compareChains(old.chains, next.chains)
	return c, true
}

// missing are the elements that others have not, or not with the same data.
func missing(from, others map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range from {
		if w, ok := others[k]; !ok || v != w {
			out[k] = v
		}
	}
	return out
}

func (c *changes) compareChains(old, next []chain) {
	gone := map[string]chain{}
	for _, o := range old {
		gone[o.name] = o
	}
	for _, n := range next {
		switch o, ok := gone[n.name]; {
		case !ok:
			c.newChains = append(c.newChains, n)
		case o.text() != n.text():
			c.changedChains = append(c.changedChains, n)
		}
		delete(gone, n.name)
	}
	for _, name := range slices.Sorted(maps.Keys(gone)) {
		c.goneChains = append(c.goneChains, gone[name])
	}
}
