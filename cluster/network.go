package cluster

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// NetworkID is "stack/network".
type NetworkID string

// DefaultNetwork is the network of services that name none.
const DefaultNetwork = "default"

// NewNetworkID joins the two names.
func NewNetworkID(stack, name string) NetworkID { return NetworkID(stack + "/" + name) }

// Stack is the stack that the network belongs to.
func (id NetworkID) Stack() string {
	stack, _, _ := strings.Cut(string(id), "/")
	return stack
}

// Name is the network's name in its stack.
func (id NetworkID) Name() string {
	_, name, _ := strings.Cut(string(id), "/")
	return name
}

// Network is one subnet across all hosts. Each host that runs a task in it has a
// bridge of it; the first address of the subnet is the bridge's on every host, so
// that what containers know of their network does not depend on where they run.
type Network struct {
	ID NetworkID `cbor:"1,keyasint" json:"id"`
	// Number is unique in the cluster and from 1: the VXLAN identifier (RFC 7348)
	// and what interfaces are named after.
	Number uint32       `cbor:"2,keyasint" json:"number"`
	Subnet netip.Prefix `cbor:"3,keyasint" json:"subnet"`
	// Shared: services of other stacks may join it.
	Shared bool `cbor:"4,keyasint,omitempty" json:"shared,omitempty"`
	// Internal: its containers reach nothing outside.
	Internal bool      `cbor:"5,keyasint,omitempty" json:"internal,omitempty"`
	Created  time.Time `cbor:"6,keyasint" json:"created"`
	// Last is the address that was given last: the next one is looked for from
	// there, so that an address rests before it is given again.
	Last netip.Addr `cbor:"7,keyasint,omitzero" json:"-"`
	// Undeclared: its stack declares it no more, or is gone. It goes with the last
	// generation of a service that is in it.
	Undeclared bool `cbor:"8,keyasint,omitempty" json:"undeclared,omitempty"`
}

// Gateway is the address of the network's bridge on every host; names are asked
// for there.
func (n *Network) Gateway() netip.Addr { return n.Subnet.Masked().Addr().Next() }

// Bridge is the name of the network's bridge, and Tunnel of the interface that
// leads from there to other hosts: at most 15 bytes (IFNAMSIZ).
func (n *Network) Bridge() string { return fmt.Sprintf("mu%d", n.Number) }

// Tunnel is the name of the network's VXLAN interface.
func (n *Network) Tunnel() string { return fmt.Sprintf("mx%d", n.Number) }

// First and End are the addresses that tasks may have: those behind the gateway up
// to End, which is the broadcast address and nobody's.
func (n *Network) First() netip.Addr { return n.Gateway().Next() }

// End is the broadcast address of the subnet.
func (n *Network) End() netip.Addr { return LastOf(n.Subnet) }

// Size is how many tasks the network has addresses for.
func (n *Network) Size() int { return 1<<(32-n.Subnet.Bits()) - 3 }

// Admits reports whether services of the stack may be in the network.
func (n *Network) Admits(stack string) bool { return n.Shared || n.ID.Stack() == stack }

// LastOf is the last address of a range of IPv4 addresses.
func LastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	last := binary.BigEndian.Uint32(b[:]) | (1<<(32-p.Bits()) - 1)
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, last)))
}

// NetworkSpec is a network that a stack declares.
type NetworkSpec struct {
	Name     string `cbor:"1,keyasint" json:"name"`
	Shared   bool   `cbor:"2,keyasint,omitempty" json:"shared,omitempty"`
	Internal bool   `cbor:"3,keyasint,omitempty" json:"internal,omitempty"`
	// Subnet is the one that the user wants; zero: one of the pool.
	Subnet netip.Prefix `cbor:"4,keyasint,omitzero" json:"subnet,omitzero"`
}

// NetworkLink is a service's place in a network.
type NetworkLink struct {
	Network NetworkID `cbor:"1,keyasint" json:"network"`
	// Aliases are names of the service in this network besides its own.
	Aliases []string `cbor:"2,keyasint,omitempty" json:"aliases,omitempty"`
}

// TaskAddress is a task's own in one network. It is the task's for as long as a
// container of it may run.
type TaskAddress struct {
	Network NetworkID  `cbor:"1,keyasint" json:"network"`
	Address netip.Addr `cbor:"2,keyasint" json:"address"`
}

// MAC is the hardware address of a container with that IPv4 address, as engines
// make it ("02:42:0a:c0:04:02"): hosts know each other's without asking.
func MAC(a netip.Addr) string {
	b := a.As4()
	return fmt.Sprintf("02:42:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3])
}

// DefaultNetworkPool is what addresses are taken from where the operator says
// nothing.
var DefaultNetworkPool = netip.MustParsePrefix("10.192.0.0/11")

// NetworkPool is the cluster's range of addresses: its first /16 is the hosts'
// among themselves, its second one the services' own, the rest are networks.
type NetworkPool struct{ netip.Prefix }

// Bits of the parts of a NetworkPool.
const (
	hostBits      = 16
	NetworkBits   = 22 // of a network's subnet: 1021 tasks
	minPoolLength = 8
	maxPoolLength = 14
)

// Validate reports what is wrong with the pool as a *FieldError.
func (p NetworkPool) Validate(field string) error {
	switch {
	case !p.IsValid() || !p.Addr().Is4():
		return Invalid(field, "is not a range of IPv4 addresses", "give one such as 10.192.0.0/11")
	case p.Masked() != p.Prefix:
		return Invalid(field, fmt.Sprintf("%s does not begin at its first address", p.Prefix), fmt.Sprintf("write %s", p.Masked()))
	case p.Bits() < minPoolLength || p.Bits() > maxPoolLength:
		return Invalid(field, fmt.Sprintf("%s is not between a /%d and a /%d", p.Prefix, minPoolLength, maxPoolLength), "give one such as 10.192.0.0/11")
	}
	return nil
}

// Hosts is the range of the hosts' addresses among themselves.
func (p NetworkPool) Hosts() netip.Prefix { return netip.PrefixFrom(p.Addr(), hostBits) }

// Services is the range of the services' own addresses.
func (p NetworkPool) Services() netip.Prefix {
	b := p.Addr().As4()
	b[1]++
	return netip.PrefixFrom(netip.AddrFrom4(b), hostBits)
}

// Host is the address of the node with that number, from 1.
func (p NetworkPool) Host(number uint16) netip.Addr {
	b := p.Addr().As4()
	b[2], b[3] = byte(number>>8), byte(number)
	return netip.AddrFrom4(b)
}

// Encryption says whether traffic between hosts is encrypted.
type Encryption string

// Encryptions.
const (
	EncryptOn  Encryption = "on" // the default
	EncryptOff Encryption = "off"
)
