package invariants

import (
	"iter"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// Safety checks all that must hold of one state at any time.
func Safety(s State) []Violation {
	var out []Violation
	for n := range s.Nodes() {
		out = append(out, NodeSafety(s, n.ID)...)
	}
	for svc := range s.Services() {
		out = append(out, ServiceSafety(s, svc.ID)...)
	}
	return append(out, AddressSafety(s)...)
}

// NodeSafety checks one node: its tasks fit it, no host port is held twice, and
// what the state says that they hold is what they hold. What a task really
// needs is in its template, whatever was recorded in the task.
func NodeSafety(s State, id cluster.NodeID) []Violation {
	var out []Violation
	var held cluster.Resources
	var holders [64]*cluster.Task
	ports := holders[:0]
	devices := deviceBook{node: id}
	for t := range s.TasksOn(id) {
		if !t.Holds() {
			continue
		}
		held = held.Add(needs(s, t))
		out = append(out, devices.add(s, t)...)
		if len(t.HostPorts) == 0 {
			continue
		}
		for _, o := range ports {
			if p, clash := portClash(t.HostPorts, o.HostPorts); clash {
				out = append(out, violation(PortTwice, "port %d/%s of node %s is held by %s and %s", p.Published, p.Protocol, id, o.ID, t.ID))
			}
		}
		ports = append(ports, t)
	}
	if n, ok := s.Node(id); ok && !held.Fits(n.Capacity) {
		out = append(out, violation(Overcommit, "node %s: %s too much is held", id, held.Missing(n.Capacity)))
	}
	if want, got := allocation(s.TasksOn(id)), s.Allocated(id); want != got {
		out = append(out, violation(WrongSums, "node %s: %+v is recorded, the tasks hold %+v", id, got, want))
	}
	return out
}

// needs is what the task's template reserves, or what is recorded in the task
// where the template is not kept.
func needs(s State, t *cluster.Task) cluster.Resources {
	if svc, ok := s.Service(t.Service); ok {
		if tpl, ok := svc.Template(t.Generation); ok {
			return tpl.Reservations
		}
	}
	return t.Resources
}

func allocation(tasks iter.Seq[*cluster.Task]) state.Allocation {
	var a state.Allocation
	for t := range tasks {
		if t.Holds() {
			a.Resources = a.Resources.Add(t.Resources)
			a.Tasks++
		}
	}
	return a
}

func portClash(a, b []cluster.Port) (cluster.Port, bool) {
	for _, p := range a {
		for _, q := range b {
			if p.Published == q.Published && p.Protocol == q.Protocol && (p.HostIP == q.HostIP || p.HostIP == "" || q.HostIP == "") {
				return p, true
			}
		}
	}
	return cluster.Port{}, false
}

// ServiceSafety checks one service: a slot has at most a holder and one
// successor that replaces it.
func ServiceSafety(s State, id cluster.ServiceID) []Violation {
	var out []Violation
	var holder, successor *cluster.Task
	for t := range s.TasksOf(id) {
		if at, ok := s.Task(t.ID); !ok || at != t {
			out = append(out, violation(WrongSums, "task %s of %s is another one in the index", t.ID, id))
		}
		if !live(t) {
			continue
		}
		switch {
		case holder == nil || holder.Slot != t.Slot:
			holder, successor = t, nil
		case successor != nil:
			out = append(out, violation(SeatTwice, "slot %d of %s has %s, %s and %s", t.Slot, id, holder.ID, successor.ID, t.ID))
		case t.Replaces != holder.ID && holder.Replaces != t.ID:
			out = append(out, violation(SeatTwice, "slot %d of %s has %s and %s, and neither replaces the other", t.Slot, id, holder.ID, t.ID))
		default:
			successor = t
		}
	}
	return out
}

// live reports whether the task is wanted and not over.
func live(t *cluster.Task) bool { return t.Desired == cluster.Running && !t.Ended() }

// HostSafety checks what really runs on a host: no two containers hold one
// host port.
func HostSafety(h Host) []Violation {
	var out []Violation
	for i, c := range h.Containers {
		for _, o := range h.Containers[:i] {
			if p, clash := portClash(c.Ports, o.Ports); clash {
				out = append(out, violation(PortTwice, "containers of %s and %s run with port %d/%s of node %s", o.Task, c.Task, p.Published, p.Protocol, h.Node))
			}
		}
	}
	return out
}
