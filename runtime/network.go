package runtime

import "net/netip"

// Network is a container's place in a bridge network of this host, which is made
// when it is absent.
//
// One with a Subnet is this host's part of a network across hosts: the bridge and
// its addresses are as the cluster says, and so is the container's own. One
// without is of this host alone: the engine chooses all that, and finds the
// container by its Aliases.
type Network struct {
	Name   string
	Labels map[string]string

	Bridge   string // the name of the interface
	Subnet   netip.Prefix
	Gateway  netip.Addr // the bridge's own address
	MTU      int        // bytes; 0: the engine's
	Internal bool       // without a way to the world
	Address  netip.Addr // of the container
	MAC      string     // of the container

	// Aliases are names of the container in a network of this host alone.
	Aliases []string
}

// Spans reports whether the network is part of one across hosts.
func (n *Network) Spans() bool { return n.Subnet.IsValid() }

// Is reports whether o has the same bridge and addresses as n, so that containers
// of either can be in the same network.
func (n *Network) Is(o *Network) bool {
	return n.Bridge == o.Bridge && n.Subnet == o.Subnet && n.Gateway == o.Gateway && n.Internal == o.Internal
}

// Clashes reports whether n and o cannot be on one host, although their names
// differ.
func (n *Network) Clashes(o *Network) bool {
	return n.Spans() && (n.Subnet.Overlaps(o.Subnet) || n.Bridge == o.Bridge)
}
