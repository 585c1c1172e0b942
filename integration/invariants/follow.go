package invariants

import (
	"maps"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
)

// Promises are the changes that the cluster has acknowledged to its users.
type Promises struct {
	services map[cluster.ServiceID]uint64
}

// Deployed notes that a deploy of the service was acknowledged at a generation.
func (p *Promises) Deployed(id cluster.ServiceID, generation uint64) {
	if p.services == nil {
		p.services = map[cluster.ServiceID]uint64{}
	}
	p.services[id] = max(p.services[id], generation)
}

// Removing notes that a removal of the service is being sent: from here on it
// may be gone.
func (p *Promises) Removing(id cluster.ServiceID) { delete(p.services, id) }

// Kept checks that nothing acknowledged was lost.
func (p *Promises) Kept(s State) []Violation {
	var out []Violation
	for _, id := range slices.Sorted(maps.Keys(p.services)) {
		generation := p.services[id]
		switch svc, ok := s.Service(id); {
		case !ok || svc.Removing:
			out = append(out, violation(LostWork, "service %s was acknowledged at generation %d and is gone", id, generation))
		case svc.Newest() < generation || svc.Generation < generation && svc.Returned == nil:
			out = append(out, violation(LostWork, "service %s was acknowledged at generation %d and is at %d", id, generation, svc.Generation))
		}
	}
	return out
}

// TableGrace is how long a balancer may lead to a task that is known not to
// serve.
const TableGrace = time.Second

// Dead follows since when tasks are known not to serve.
type Dead struct {
	since map[cluster.TaskID]time.Time
}

// Saw takes in a task of the newest state; nil that it is in it no more.
func (d *Dead) Saw(id cluster.TaskID, t *cluster.Task, node cluster.Condition, at time.Time) {
	if d.since == nil {
		d.since = map[cluster.TaskID]time.Time{}
	}
	if t != nil && live(t) && t.Ready() && node != cluster.Down && node != "" {
		delete(d.since, id)
		return
	}
	if _, known := d.since[id]; !known {
		d.since[id] = at
	}
}

// InTable checks the table that a node uses at the given time, the node being
// in touch with the cluster.
func (d *Dead) InTable(node cluster.NodeID, t *lb.Table, at time.Time) []Violation {
	var out []Violation
	for i := range t.Frontends {
		f := &t.Frontends[i]
		for _, b := range f.Backends {
			if since, dead := d.since[b.Task]; dead && at.Sub(since) > TableGrace {
				out = append(out, violation(StaleTable, "node %s leads port %d to %s of %s, which serves no more since %s", node, f.Port.Number, b.Task, f.Service, at.Sub(since)))
			}
		}
	}
	return out
}

// RefillGrace is how long the slot of a lost task may be without a successor
// under a leader that can commit.
const RefillGrace = 3 * time.Second

// Refilled checks at the given time that the tasks of nodes that are down have
// successors, placed or not. A seat whose successor failed is tried again later.
func Refilled(s State, at time.Time) []Violation {
	var out []Violation
	for n := range s.Nodes() {
		if n.Condition != cluster.Down || at.Sub(n.ConditionSince) < RefillGrace {
			continue
		}
		for t := range s.TasksOn(n.ID) {
			svc, ok := s.Service(t.Service)
			idle := !ok || svc.Removing || svc.SetAside != "" || svc.Spec.Mode == cluster.Global || t.Slot > svc.Spec.Replicas
			if !idle && live(t) && !followed(s, t) && at.Sub(svc.Updated) > RefillGrace {
				out = append(out, violation(NotRefilled, "node %s is down for %s, and task %s (slot %d of %s) has no successor", n.ID, at.Sub(n.ConditionSince), t.ID, t.Slot, t.Service))
			}
		}
	}
	return out
}

// followed reports whether another task was made for t's seat and is wanted
// still.
func followed(s State, t *cluster.Task) bool {
	for o := range s.TasksOf(t.Service) {
		if o.Slot == t.Slot && o.ID != t.ID && o.Desired == cluster.Running && (o.Replaces == t.ID || t.Replaces == o.ID) {
			return true
		}
	}
	return false
}
