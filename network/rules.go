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
}

// VirtualService is a service's own address as containers on one bridge see it.
type VirtualService struct {
	Bridge  string
	Address netip.Addr
	Tasks   []netip.Addr // in that network, ready, by address; none: connections are refused
}

// PublishedPort is a port that answers on this host in the kernel.
type PublishedPort struct {
	Protocol string
	Port     uint16
	Tasks    []netip.AddrPort // containers on this host, by address
}
