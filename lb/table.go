package lb

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// Table says for every published port which tasks answer it. A table is
// immutable once built; readers share it.
type Table struct {
	Epoch     uint64
	Index     uint64
	Weighed   uint64     // the input's
	Frontends []Frontend // by port
	Conflicts []Conflict // by port
	Down      []cluster.NodeID
}

// Frontend is one published port and what stands behind it.
type Frontend struct {
	Service  cluster.ServiceID
	Port     Port
	Balance  cluster.Balance
	Backends []Backend // by task; may be empty
	// Weights are of the backends, by place; nil: all weigh the same.
	Weights []int
	// lookup is for the policy maglev.
	lookup []uint16
}

// Backend is a task at the address of its host. It is comparable: a task whose
// container came back at another port is another backend.
type Backend struct {
	Task cluster.TaskID
	Node cluster.NodeID
	Addr netip.AddrPort
	UDP  bool // the address is one of UDP, else of TCP
	// Target is the port in the task's container; 0: not known.
	Target  uint16
	Checked bool // as the endpoint
}

// Local reports whether the backend runs on the given node.
func (b Backend) Local(node cluster.NodeID) bool { return b.Node == node }

// Conflict is a port that a service publishes in vain.
type Conflict struct {
	Port    Port
	Service cluster.ServiceID // does not get the port
	Holder  cluster.ServiceID // has it
}

func (c Conflict) String() string {
	return fmt.Sprintf("%s: port %d/%s is already published by %s; publish it on another port",
		c.Service, c.Port.Number, c.Port.Protocol, c.Holder)
}

// Build makes the table. Endpoints on dead nodes, without an address or of a
// service that does not hold the port are left out; equal inputs, in any order
// of their endpoints, give equal tables.
func Build(in Input) *Table {
	t := &Table{Epoch: in.Epoch, Index: in.Index, Weighed: in.Weighed, Down: slices.Sorted(slices.Values(in.Down))}
	at := map[Port]int{}
	for _, s := range in.Services {
		for _, p := range s.Ports {
			i, taken := at[p]
			switch {
			case !taken:
				at[p] = len(t.Frontends)
				t.Frontends = append(t.Frontends, Frontend{Service: s.Service, Port: p, Balance: s.Balance})
			case t.Frontends[i].Service != s.Service:
				t.Conflicts = append(t.Conflicts, Conflict{Port: p, Service: s.Service, Holder: t.Frontends[i].Service})
			}
		}
	}
	for _, e := range in.Endpoints {
		i, ok := at[e.Port]
		if !ok || t.Frontends[i].Service != e.Service || !e.Address.IsValid() || t.IsDown(e.Node) {
			continue
		}
		t.Frontends[i].Backends = append(t.Frontends[i].Backends, Backend{Task: e.Task, Node: e.Node, Addr: e.Address, UDP: e.Port.Protocol == UDP, Target: e.Target, Checked: e.Checked})
	}
	weights := map[cluster.NodeID]int{}
	for _, w := range in.Weights {
		weights[w.Node] = w.Weight
	}
	for i := range t.Frontends {
		f := &t.Frontends[i]
		slices.SortFunc(f.Backends, Backend.compare)
		f.Backends = slices.CompactFunc(f.Backends, func(a, b Backend) bool { return a.Task == b.Task })
		f.prepare(weights)
	}
	slices.SortFunc(t.Frontends, func(a, b Frontend) int { return a.Port.compare(b.Port) })
	slices.SortStableFunc(t.Conflicts, func(a, b Conflict) int { return a.Port.compare(b.Port) })
	t.Conflicts = slices.Compact(t.Conflicts)
	return t
}

// prepare computes what the frontend's policy needs besides the backends.
func (f *Frontend) prepare(weights map[cluster.NodeID]int) {
	switch f.Balance.Policy {
	case cluster.Maglev:
		f.lookup = lookupTable(f.Backends)
	case cluster.Weighted:
		for _, b := range f.Backends {
			w, measured := weights[b.Node]
			if !measured {
				w = cluster.DefaultNodeWeight
			}
			f.Weights = append(f.Weights, min(max(w, cluster.MinNodeWeight), cluster.MaxNodeWeight))
		}
	}
}

// Newer reports whether t was built from a later state than o, or of the same one
// from later weights. Epochs come first: a restored cluster counts its indexes
// anew.
func (t *Table) Newer(o *Table) bool {
	return cmp.Or(cmp.Compare(t.Epoch, o.Epoch), cmp.Compare(t.Index, o.Index), cmp.Compare(t.Weighed, o.Weighed)) > 0
}

// Position is an empty table of the same state as in: what a newer one is newer
// than.
func Position(in Input) *Table { return &Table{Epoch: in.Epoch, Index: in.Index, Weighed: in.Weighed} }

// Frontend finds a published port.
func (t *Table) Frontend(p Port) (*Frontend, bool) {
	i, ok := slices.BinarySearchFunc(t.Frontends, p, func(f Frontend, p Port) int { return f.Port.compare(p) })
	if !ok {
		return nil, false
	}
	return &t.Frontends[i], true
}

// Has reports whether the backend is one of the frontend's.
func (f *Frontend) Has(b Backend) bool {
	_, ok := slices.BinarySearchFunc(f.Backends, b, Backend.compare)
	return ok
}

// IsDown reports whether the host of a node is dead.
func (t *Table) IsDown(id cluster.NodeID) bool {
	_, down := slices.BinarySearch(t.Down, id)
	return down
}

func (p Port) compare(o Port) int {
	return cmp.Or(cmp.Compare(p.Protocol, o.Protocol), cmp.Compare(p.Number, o.Number))
}

func (b Backend) compare(o Backend) int {
	return cmp.Or(cmp.Compare(b.Task, o.Task), b.Addr.Compare(o.Addr))
}
