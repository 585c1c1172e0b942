package usage

import (
	"maps"
	"math"
	"time"

	"github.com/musterhq/muster/cluster"
)

// Times of a Book.
const (
	// horizon is how far ahead the demand looks.
	horizon = 30 * time.Minute
	// stale is when a node's last sample says nothing any more of what it uses
	// now.
	stale = time.Minute
)

// Slot is a place of a service: its history outlives the tasks in it.
type Slot struct {
	Service cluster.ServiceID
	Slot    int
	Node    cluster.NodeID // of a global service's, which are one a node
}

// Sample is what one task used.
type Sample struct {
	Slot Slot
	Used cluster.Resources
}

// Book is the history of a cluster: of every slot and of what hosts use for
// what is not ours.
type Book struct {
	slots map[Slot]*history
	nodes map[cluster.NodeID]*node
}

// history is that of several amounts. The demand is found when a sample comes,
// as it is asked for far more often.
type history struct {
	cpu, memory Series
	demand      cluster.Resources
}

func (h *history) add(at time.Time, r cluster.Resources) {
	h.cpu.Add(at, float64(r.MilliCPU))
	h.memory.Add(at, float64(r.Memory))
	up := func(s *Series) int64 { return int64(math.Ceil(s.Demand(horizon))) }
	h.demand = cluster.Resources{MilliCPU: up(&h.cpu), Memory: up(&h.memory)}
}

// node is a host: what it uses beside our tasks.
type node struct {
	other history
	at    time.Time
	used  cluster.Resources // the whole host, newest
}

// NewBook is an empty one.
func NewBook() *Book {
	return &Book{slots: map[Slot]*history{}, nodes: map[cluster.NodeID]*node{}}
}

// Add takes in what a host and the tasks on it used, measured together.
func (b *Book) Add(at time.Time, id cluster.NodeID, used cluster.Resources, tasks []Sample) {
	ours := cluster.Resources{}
	for _, t := range tasks {
		h, ok := b.slots[t.Slot]
		if !ok {
			h = &history{}
			b.slots[t.Slot] = h
		}
		h.add(at, t.Used)
		ours = ours.Add(t.Used)
	}
	n, ok := b.nodes[id]
	if !ok {
		n = &node{}
		b.nodes[id] = n
	}
	other := used.Sub(ours)
	n.other.add(at, cluster.Resources{MilliCPU: max(other.MilliCPU, 0), Memory: max(other.Memory, 0)})
	n.at, n.used = at, used
}

// Demand is what a slot is likely to need; zero when nothing is known.
func (b *Book) Demand(s Slot) cluster.Resources {
	if h, ok := b.slots[s]; ok {
		return h.demand
	}
	return cluster.Resources{}
}

// Other is what a host is likely to need for what is not ours. It is not known
// when it was not measured lately.
func (b *Book) Other(id cluster.NodeID, now time.Time) (r cluster.Resources, ok bool) {
	n, ok := b.nodes[id]
	if !ok || now.Sub(n.at) > stale {
		return cluster.Resources{}, false
	}
	return n.other.demand, true
}

// Used is what the whole host used when it was measured last, and when that was,
// if it was lately.
func (b *Book) Used(id cluster.NodeID, now time.Time) (r cluster.Resources, at time.Time, ok bool) {
	n, ok := b.nodes[id]
	if !ok || now.Sub(n.at) > stale {
		return cluster.Resources{}, time.Time{}, false
	}
	return n.used, n.at, true
}

// Copy answers as the book does now, whatever comes later. Nothing is to be added
// to it.
func (b *Book) Copy() *Book {
	out := &Book{slots: make(map[Slot]*history, len(b.slots)), nodes: make(map[cluster.NodeID]*node, len(b.nodes))}
	for s, h := range b.slots {
		out.slots[s] = &history{demand: h.demand}
	}
	for id, n := range b.nodes {
		out.nodes[id] = &node{other: history{demand: n.other.demand}, at: n.at, used: n.used}
	}
	return out
}

// Retain drops the histories of services and nodes that are gone.
func (b *Book) Retain(service func(cluster.ServiceID) bool, member func(cluster.NodeID) bool) {
	maps.DeleteFunc(b.slots, func(s Slot, _ *history) bool { return !service(s.Service) })
	maps.DeleteFunc(b.nodes, func(id cluster.NodeID, _ *node) bool { return !member(id) })
}
