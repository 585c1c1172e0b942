package network

import (
	"net/netip"
)

// Rules are what a host's packet filter does for our networks. They are ours
// alone: no chain of anybody else's is changed.
type Rules struct {
	// VXLANFrom is the only interface that VXLAN packets are let in from; "": any,
	// but from Peers only.
	VXLANFrom string
	// Peers are the addresses that VXLAN packets of other hosts come from, in order:
	// those among hosts if traffic is encrypted, else the hosts' own.
	Peers []netip.Addr
	// Services lead from a service's own address to its tasks, seen from one network.
	Services []VirtualService
	// Published lead from a published port to tasks on this host.
	Published []PublishedPort
	// Bridges are of the networks that this host has a task in, by name. What comes
	// from one of them reaches nothing in Ranges but its own network.
	Bridges []Bridge
	// Ranges hold every address that is ours: the pool, and the subnets that a user
	// chose outside it. They may overlap.
	Ranges []netip.Prefix
	// Virtual is the range of the services' own addresses. Nothing is sent there
	// that Services do not name.
	Virtual netip.Prefix
}

// Bridge is a network's on this host.
type Bridge struct {
	Name    string
	Gateway netip.Addr // its own address in the network
}

// VirtualService is a service's own address as containers on one bridge see it.
type VirtualService struct {
	Bridge  string
	Address netip.Addr
	Tasks   []netip.Addr // in that network, ready, by address; none: connections are refused
}

// PublishedPort is a port that answers on this host in the kernel, for what comes
// from other hosts.
type PublishedPort struct {
	Protocol string
	Port     uint16
	Tasks    []netip.AddrPort // containers on this host, by address
	// Of is how many tasks there are on all hosts. The kernel takes the share of
	// this host's, by chance, and leaves the rest to who listens on the port.
	Of int
}
