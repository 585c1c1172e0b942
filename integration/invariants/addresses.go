package invariants

import (
	"net/netip"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// networked is a State that knows its networks; state.View is one.
type networked interface {
	Network(cluster.NetworkID) (*cluster.Network, bool)
}

// AddressSafety checks that no two tasks which may have a container share an
// address, nor two services, nor two nodes a number, and that tasks have theirs.
func AddressSafety(s State) []Violation {
	b := addressBook{holders: map[cluster.TaskAddress]string{}}
	for t := range s.Tasks() {
		for _, a := range t.Addresses {
			b.add(a, "task "+string(t.ID))
		}
		b.out = append(b.out, TaskAddresses(s, t)...)
	}
	for svc := range s.Services() {
		if svc.Address.IsValid() {
			b.add(cluster.TaskAddress{Address: svc.Address}, "service "+string(svc.ID))
		}
	}
	numbers := map[uint16]cluster.NodeID{}
	for n := range s.Nodes() {
		if other, twice := numbers[n.Number]; twice && n.Number != 0 {
			b.out = append(b.out, violation(AddressTwice, "number %d is that of nodes %s and %s", n.Number, other, n.ID))
		}
		numbers[n.Number] = n.ID
	}
	return b.out
}

type addressBook struct {
	holders map[cluster.TaskAddress]string
	out     []Violation
}

func (b *addressBook) add(a cluster.TaskAddress, holder string) {
	if other, twice := b.holders[a]; twice {
		b.out = append(b.out, violation(AddressTwice, "%s of network %q is that of %s and of %s", a.Address, a.Network, other, holder))
	}
	b.holders[a] = holder
}

// TaskAddresses checks that a task which is placed has one address for each of its
// networks, in the network's subnet and not one that is the network's own, and one
// that is over has none. A task of a node that is gone has none any more, also when
// its host has joined again.
func TaskAddresses(s State, t *cluster.Task) []Violation {
	networks, ok := s.(networked)
	svc, known := s.Service(t.Service)
	if !ok || !known {
		return nil
	}
	if !t.Holds() {
		if len(t.Addresses) > 0 {
			return []Violation{violation(WrongAddress, "task %s is over, or not placed, and has %v", t.ID, t.Addresses)}
		}
		return nil
	}
	n, there := s.Node(t.Node)
	template, kept := svc.Template(t.Generation)
	if !there || !kept || len(t.Addresses) == 0 && t.Created.Before(n.Joined) {
		return nil
	}
	same := slices.EqualFunc(t.Addresses, template.Networks, func(a cluster.TaskAddress, l cluster.NetworkLink) bool { return a.Network == l.Network })
	if !same {
		return []Violation{violation(WrongAddress, "task %s is in %v and has %v", t.ID, template.Networks, t.Addresses)}
	}
	for _, a := range t.Addresses {
		if n, ok := networks.Network(a.Network); !ok || !within(n, a.Address) {
			return []Violation{violation(WrongAddress, "task %s has %s in network %s, which is %+v", t.ID, a.Address, a.Network, n)}
		}
	}
	return nil
}

func within(n *cluster.Network, a netip.Addr) bool {
	return n.Subnet.Contains(a) && !a.Less(n.First()) && a.Less(n.End())
}
