package queue

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// filling gives to the stack with the least weighted dominant share, one item at
// a time: progressive filling of dominant-resource fairness with weights
// (Ghodsi et al., Dominant Resource Fairness: Fair Allocation of Multiple
// Resource Types, NSDI 2011, algorithm 1 and section 4.3).
type filling struct {
	shares Shares
	held   map[string]cluster.Resources
}

func newFilling(s Shares) *filling {
	f := &filling{shares: s, held: make(map[string]cluster.Resources, len(s.Held))}
	for stack, r := range s.Held {
		f.held[stack] = r
	}
	return f
}

// fill puts items, which are in order within each stack, in the order of the
// filling.
func (f *filling) fill(items []Item) {
	queues := map[string]*claimant{}
	var all claimants
	for _, it := range items {
		c, ok := queues[it.Stack]
		if !ok {
			c = &claimant{stack: it.Stack, share: f.share(it.Stack)}
			queues[it.Stack] = c
			all = append(all, c)
		}
		c.items = append(c.items, it)
	}
	heap.Init(&all)
	for i := range items {
		c := all[0]
		items[i] = c.items[0]
		f.held[c.stack] = f.held[c.stack].Add(c.items[0].Resources)
		c.items, c.share = c.items[1:], f.share(c.stack)
		if len(c.items) == 0 {
			heap.Pop(&all)
		} else {
			heap.Fix(&all, 0)
		}
	}
}

// share is the stack's dominant share over its weight.
func (f *filling) share(stack string) float64 {
	share := Dominant(f.held[stack], f.shares.Capacity)
	if weight := f.shares.Weights[stack]; weight > 0 {
		return share / weight
	}
	return share
}

// Dominant is the largest of the shares of a capacity that r takes.
func Dominant(r, capacity cluster.Resources) float64 {
	share := func(part, whole int64) float64 {
		if part <= 0 || whole <= 0 {
			return 0
		}
		return float64(part) / float64(whole)
	}
	return max(share(r.MilliCPU, capacity.MilliCPU), share(r.Memory, capacity.Memory))
}

// claimant is a stack with its items that wait.
type claimant struct {
	stack string
	share float64
	items []Item
}

// claimants is a heap: the least share first; among equal ones whose item comes
// first by itself.
type claimants []*claimant

func (c claimants) Len() int { return len(c) }
func (c claimants) Less(i, j int) bool {
	a, b := c[i], c[j]
	x, y := &a.items[0], &b.items[0]
	return cmp.Or(cmp.Compare(a.share, b.share), x.Since.Compare(y.Since), cmp.Compare(x.Task, y.Task)) < 0
}
func (c claimants) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *claimants) Push(x any)   { *c = append(*c, x.(*claimant)) }
func (c *claimants) Pop() any {
	last := (*c)[len(*c)-1]
	*c = slices.Delete(*c, len(*c)-1, len(*c))
	return last
}
