package sim

import (
	"fmt"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/consensus/voters"
)

// removedAfter is how long a node hears that it is no member before it believes
// it, as agent/uplink.go has it.
const removedAfter = 5 * time.Second

// node is what the host tells of itself when it joins.
func (h *host) node() cluster.Node {
	return cluster.Node{
		ID: h.id, Name: h.name, Address: h.address, APIPort: 7070, GossipPort: 7071, Labels: h.labels,
		OS: "linux", Arch: "amd64", Commands: h.commands, Capacity: h.capacity, Devices: h.devices, PublicKey: "key-" + h.name,
	}
}

// joinTimeout is how long a host waits for the member whom it asked to be let in.
const joinTimeout = 15 * time.Second

// join asks any member until it is let in, and then starts the agent. A member
// that dies meanwhile never answers, whether it had the host let in or not.
func (h *host) join() {
	again := func() { h.after(h.w.between(time.Second, 4*time.Second), h.join) }
	via := pick(h.w, h.w.hosts)
	if h.member || via == h || !via.awake() || !h.w.linked(h, via) {
		if !h.member {
			again()
		}
		return
	}
	told := false
	tell := func(joined bool) {
		switch {
		case told || h.member:
		case joined:
			h.member = true
			h.note("joins")
			h.startAgent()
		default:
			again()
		}
		told = true
	}
	h.after(joinTimeout, func() { tell(false) })
	via.agent.call(state.JoinNode{Token: joinToken, Node: h.node()}, "", func(res state.Result, err error) {
		h.after(h.w.delay(), func() {
			_, known := h.w.raft.newest().Node(h.id)
			tell(err == nil && res.Err == nil || known)
		})
	})
}

// expel is what a host does that was removed: it stops everything and is idle
// until somebody lets it join as a new node.
func (h *host) expel() {
	h.note("is expelled")
	h.stopAgent()
	for _, c := range h.engine.containers {
		h.engine.die(c, 137)
	}
	h.engine.containers = nil
	h.joins++
	h.member, h.replica = false, nil
	h.id = cluster.NodeID(fmt.Sprintf("N%02d-%d", h.index+1, h.joins))
	h.disk.known = false
	h.after(h.w.between(2*time.Second, 20*time.Second), h.join)
}

// noteRemoval ends this node's membership when the cluster has removed it; who
// counts as a voter still waits until that is undone.
func (a *agent) noteRemoval(removed bool) {
	switch {
	case !removed:
		a.removed = -1
	case a.removed < 0:
		a.removed = a.w.now
	case a.w.now-a.removed > removedAfter && a.w.raft.role(a.h) == voters.Outside:
		a.h.expel()
	}
}

// removes reports whether the user may remove the host's node: one that is down,
// or by force a living one, but no voter whom the others need for a majority.
func (u *users) removes(h *host) bool {
	r := u.w.raft
	v := r.newest()
	n, ok := v.Node(h.id)
	if !ok || h == r.leader || v.NodeCount() <= 2 {
		return false
	}
	others, alive := 0, 0
	for _, o := range r.voters {
		if o != h {
			others++
			if r.leader != nil && u.w.reaches(r.leader, o) && v.Condition(o.id) == cluster.Ready {
				alive++
			}
		}
	}
	return 2*alive > others && (n.Condition == cluster.Down || u.w.chance(0.1))
}
