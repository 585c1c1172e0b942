package gossip

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// forgetAfter is how long a dead member stays listed. Whoever is a member of
// the cluster is in replicated state; this is only what was heard.
const forgetAfter = 24 * time.Hour

// Member is what gossip last heard of a node, this one included.
type Member struct {
	ID    string
	Addr  string // IP
	Port  uint16 // gossip
	Meta  Meta
	Alive bool
	Since time.Time // start of the present Alive or dead stretch, as seen here
}

// directory is the state that memberlist's callbacks write and everyone else
// reads. memberlist calls back under its own lock and shows neither dead
// members nor when they died, hence this copy.
type directory struct {
	mu      sync.Mutex
	members map[string]Member
	acks    map[string]time.Time

	// Two listeners, each told at least once after the last change.
	events chan struct{}
	rejoin chan struct{}
}

func newDirectory() *directory {
	return &directory{
		members: map[string]Member{},
		acks:    map[string]time.Time{},
		events:  make(chan struct{}, 1),
		rejoin:  make(chan struct{}, 1),
	}
}

func (d *directory) heard(n *memberlist.Node, meta Meta, now time.Time) {
	d.mu.Lock()
	m, known := d.members[n.Name]
	if !known || !m.Alive {
		m.Since = now
	}
	m.ID, m.Addr, m.Port, m.Meta, m.Alive = n.Name, n.Addr.String(), n.Port, meta, true
	d.members[n.Name] = m
	d.mu.Unlock()
	d.notify()
}

func (d *directory) lost(id string, now time.Time) {
	d.mu.Lock()
	if m, ok := d.members[id]; ok {
		m.Alive, m.Since = false, now
		d.members[id] = m
	}
	d.prune(now)
	d.mu.Unlock()
	d.notify()
}

func (d *directory) prune(now time.Time) {
	maps.DeleteFunc(d.members, func(_ string, m Member) bool {
		return !m.Alive && now.Sub(m.Since) > forgetAfter
	})
	maps.DeleteFunc(d.acks, func(id string, _ time.Time) bool {
		_, known := d.members[id]
		return !known
	})
}

func (d *directory) acked(id string, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.members[id]; known {
		d.acks[id] = now
	}
}

func (d *directory) notify() {
	select {
	case d.events <- struct{}{}:
	default:
	}
	d.wakeRejoin()
}

func (d *directory) wakeRejoin() {
	select {
	case d.rejoin <- struct{}{}:
	default:
	}
}

// list returns the members in order of ID.
func (d *directory) list() []Member {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := slices.Collect(maps.Values(d.members))
	slices.SortFunc(out, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (d *directory) member(id string) (Member, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, known := d.members[id]
	return m, known
}

func (d *directory) dead(id string) (since time.Time, dead bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, known := d.members[id]
	if !known || m.Alive {
		return time.Time{}, false
	}
	return m.Since, true
}

func (d *directory) lastAck(id string) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.acks[id]
}
