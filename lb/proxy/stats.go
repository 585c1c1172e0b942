package proxy

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
)

// ServiceStats counts a service's traffic through this node since the service
// came into the table.
type ServiceStats struct {
	Service      cluster.ServiceID
	Connections  uint64 // accepted, or UDP sessions begun
	Active       int64  // open now
	Unserved     uint64 // closed because no backend took them
	Shed         uint64 // closed because there were too many
	DialFailures uint64 // attempts at single backends that failed
	BytesIn      uint64 // client to backend
	BytesOut     uint64 // backend to client
}

type counters struct {
	connections, unserved, shed, dialFailures, bytesIn, bytesOut atomic.Uint64
	active                                                       atomic.Int64
}

// end counts the end of a connection.
func (c *counters) end() { c.active.Add(-1) }

type registry struct {
	mu sync.Mutex
	by map[cluster.ServiceID]*counters
}

func (r *registry) of(id cluster.ServiceID) *counters {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.by[id]
	if !ok {
		if r.by == nil {
			r.by = map[cluster.ServiceID]*counters{}
		}
		c = &counters{}
		r.by[id] = c
	}
	return c
}

// keep forgets services that left the table and have no open connection.
func (r *registry) keep(t *lb.Table) {
	here := map[cluster.ServiceID]bool{}
	for i := range t.Frontends {
		here[t.Frontends[i].Service] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, c := range r.by {
		if !here[id] && c.active.Load() == 0 {
			delete(r.by, id)
		}
	}
}

func (r *registry) snapshot() []ServiceStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]ServiceStats, 0, len(r.by))
	for id, c := range r.by {
		out = append(out, ServiceStats{
			Service:      id,
			Connections:  c.connections.Load(),
			Active:       c.active.Load(),
			Unserved:     c.unserved.Load(),
			Shed:         c.shed.Load(),
			DialFailures: c.dialFailures.Load(),
			BytesIn:      c.bytesIn.Load(),
			BytesOut:     c.bytesOut.Load(),
		})
	}
	slices.SortFunc(out, func(a, b ServiceStats) int { return cmp.Compare(a.Service, b.Service) })
	return out
}
