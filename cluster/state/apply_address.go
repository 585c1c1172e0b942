package state

import (
	"fmt"
	"net/netip"

	"github.com/musterhq/muster/cluster"
)

// addresses are what a task of the service gets in its networks, one for each in
// their order, or why it cannot have them. Nothing is given yet.
func (tx *tx) addresses(id cluster.ServiceID, generation uint64) (out []cluster.TaskAddress, why string) {
	s, ok := tx.services.get(string(id))
	if !ok {
		return nil, ""
	}
	template, _ := s.Template(generation)
	for _, l := range template.Networks {
		n, ok := tx.networks.get(string(l.Network))
		switch {
		case !ok:
			return nil, fmt.Sprintf("network %s is gone; deploy %s with networks that are there", l.Network, id)
		case !n.Admits(id.Stack()):
			return nil, fmt.Sprintf("network %s is shared no more; share it again, or deploy %s without it", l.Network, id)
		}
		a, ok := tx.nextFree(n.ID, n.First(), n.End(), n.Last)
		if !ok {
			return nil, fmt.Sprintf("network %s is full: its subnet %s has addresses for %d tasks; have less in it, or move services to another network", n.ID, n.Subnet, n.Size())
		}
		out = append(out, cluster.TaskAddress{Network: n.ID, Address: a})
	}
	return out, ""
}

// giveAddresses gives a task that gets its node what addresses found.
func (tx *tx) giveAddresses(t *cluster.Task, addresses []cluster.TaskAddress) {
	t.Addresses = addresses
	for _, a := range addresses {
		if old, ok := tx.networks.get(string(a.Network)); ok {
			n := *old
			n.Last = a.Address
			tx.networks.put(string(n.ID), &n)
		}
	}
}

// takeAddresses ends what the tasks on a node hold, which is gone with all that
// ran there.
func (tx *tx) takeAddresses(id cluster.NodeID) {
	for _, old := range tx.tasksOn(id) {
		if len(old.Addresses) > 0 {
			t := *old
			t.Addresses = nil
			tx.putTask(&t)
		}
	}
}

// giveServiceAddress gives a service that is in a network an address of its own,
// unless it has one: it stays for the service's life.
func (tx *tx) giveServiceAddress(s *cluster.Service) error {
	if len(s.Spec.Template.Networks) == 0 || s.Address.IsValid() {
		return nil
	}
	var last netip.Addr
	if tx.given != nil {
		last = tx.given.Service
	}
	services := tx.currentSettings().Pool().Services()
	a, ok := tx.nextFree("", services.Addr().Next(), cluster.LastOf(services), last)
	if !ok {
		return &Error{CodeConflict, fmt.Sprintf("services.%s: no address of its own is left for it in %s; remove services that are not needed", s.ID.Name(), services)}
	}
	s.Address, tx.given = a, &givenLast{Service: a}
	return nil
}

// tellNetwork takes in what a node says of its place in the network. One that says
// nothing, as its binary is older, keeps what it said before. The first key comes
// with a number.
func (tx *tx) tellNetwork(n *cluster.Node, key string, port uint16, routes []netip.Prefix) {
	if key == "" {
		return
	}
	n.NetworkKey, n.NetworkPort, n.Routes = key, port, nil
	for _, r := range routes {
		if r.IsValid() && r.Addr().Is4() && r.Bits() > 0 && len(n.Routes) < cluster.MaxRoutes {
			n.Routes = append(n.Routes, r.Masked())
		}
	}
	if n.Number == 0 {
		n.Number = tx.freeNumber()
	}
}

// freeNumber is the smallest number that no node has, 0 where all are taken.
func (tx *tx) freeNumber() uint16 {
	const most = 1<<16 - 2 // the last address of the range is nobody's
	taken := map[uint16]bool{}
	for _, n := range tx.nodes.all("") {
		taken[n.Number] = true
	}
	for number := uint16(1); number <= most; number++ {
		if !taken[number] {
			return number
		}
	}
	return 0
}
