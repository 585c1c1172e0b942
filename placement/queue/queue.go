package queue

import (
	"cmp"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
)

// Item is a task that waits.
type Item struct {
	Task     cluster.TaskID
	Priority int // higher goes first
	// Since is when it began to wait.
	Since time.Time
	// Expected is how long it is expected to run: cluster.QueueShortestJob's. A service,
	// which runs until it is stopped, has Endless.
	Expected time.Duration
	// Stack, with what it is to hold: cluster.QueueFair's.
	Stack     string
	Resources cluster.Resources
}

// Endless is the expected run time of a task that does not end by itself, and
// the longest that any is taken to have.
const Endless = 24 * time.Hour

// Aging is how much expected run time a second of waiting makes up for.
//
// An item goes before all that came more than Expected/Aging after it,
// however short they are, so that what it waits for is bounded: the items that
// were there when it came, and those that came within that time.
const Aging = 4

// Shares is what fair shares are reckoned from.
type Shares struct {
	Capacity cluster.Resources            // of all nodes together
	Held     map[string]cluster.Resources // by stack
	Weights  map[string]float64           // by stack; 1 where there is none
}

// Sort puts the items in the order in which they are to be placed.
func Sort(items []Item, order cluster.QueueOrder, shares Shares) {
	slices.SortFunc(items, func(a, b Item) int {
		c := cmp.Compare(b.Priority, a.Priority)
		if c == 0 && order == cluster.QueueShortestJob {
			c = a.virtual().Compare(b.virtual())
		}
		return cmp.Or(c, a.Since.Compare(b.Since), cmp.Compare(a.Task, b.Task))
	})
	if order != cluster.QueueFair {
		return
	}
	fair := newFilling(shares)
	for rest := items; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Priority == rest[0].Priority {
			n++
		}
		fair.fill(rest[:n])
		rest = rest[n:]
	}
}

// virtual is when the item would end if it were alone and its clock ran Aging
// times as fast: the order by it is that of the expected time minus Aging times
// the time waited, at any moment.
func (i *Item) virtual() time.Time {
	return i.Since.Add(min(max(i.Expected, 0), Endless) / Aging)
}
