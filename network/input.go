package network

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// Ports between hosts, both UDP.
const (
	// WireGuardPort is the default of a node's port for encrypted traffic.
	WireGuardPort = 7072
	// VXLANPort takes the frames of containers; through WireGuard, where traffic is
	// encrypted, and then nobody else's packets are let in.
	VXLANPort = 7073
)

// Input is what a host's networks are made from. It is plain data, as lb.Input.
type Input struct {
	Pool    netip.Prefix `cbor:"1,keyasint,omitzero" json:"pool,omitzero"`
	Encrypt bool         `cbor:"2,keyasint,omitempty" json:"encrypt,omitempty"`
	Hosts   []Host       `cbor:"3,keyasint,omitempty" json:"hosts,omitempty"` // by ID
	// Networks come by number.
	Networks []cluster.Network `cbor:"4,keyasint,omitempty" json:"networks,omitempty"`
	Services []Service         `cbor:"5,keyasint,omitempty" json:"services,omitempty"` // by ID
	Tasks    []Task            `cbor:"6,keyasint,omitempty" json:"tasks,omitempty"`    // by ID
}

// Host is a node as its neighbours on the network see it.
type Host struct {
	Node    cluster.NodeID `cbor:"1,keyasint" json:"node"`
	Name    string         `cbor:"2,keyasint" json:"name"`
	Number  uint16         `cbor:"3,keyasint" json:"number"`  // 0: it has no address among hosts yet
	Address netip.Addr     `cbor:"4,keyasint" json:"address"` // that other nodes reach it at
	Key     string         `cbor:"5,keyasint,omitempty" json:"key,omitempty"`
	Port    uint16         `cbor:"6,keyasint,omitempty" json:"port,omitempty"`
	Down    bool           `cbor:"7,keyasint,omitempty" json:"down,omitempty"`
}

// Service is one that is in a network.
type Service struct {
	ID      cluster.ServiceID     `cbor:"1,keyasint" json:"id"`
	Address netip.Addr            `cbor:"2,keyasint,omitzero" json:"address,omitzero"` // its own
	Links   []cluster.NetworkLink `cbor:"3,keyasint,omitempty" json:"links,omitempty"`
	// Ports are those that its tasks are known to listen on: what it publishes. SRV
	// records are made of them.
	Ports []Port `cbor:"4,keyasint,omitempty" json:"ports,omitempty"`
}

// Port is a port of a container.
type Port struct {
	Protocol string `cbor:"1,keyasint" json:"protocol"`
	Number   uint16 `cbor:"2,keyasint" json:"number"`
}

// Task is one that may have a container. One that is not ready has an address all
// the same: it reaches others before others find it.
type Task struct {
	ID        cluster.TaskID        `cbor:"1,keyasint" json:"id"`
	Service   cluster.ServiceID     `cbor:"2,keyasint" json:"service"`
	Slot      int                   `cbor:"3,keyasint" json:"slot"`
	Node      cluster.NodeID        `cbor:"4,keyasint" json:"node"`
	Addresses []cluster.TaskAddress `cbor:"5,keyasint" json:"addresses"`
	// Ready: it is wanted, healthy and on a host that is not dead.
	Ready    bool   `cbor:"6,keyasint,omitempty" json:"ready,omitempty"`
	Hostname string `cbor:"7,keyasint,omitempty" json:"hostname,omitempty"` // the user's
}

// pool is the range that addresses are taken from.
func (in *Input) pool() cluster.NetworkPool { return cluster.NetworkPool{Prefix: in.Pool} }

// host finds a host; nil: it is not known.
func (in *Input) host(id cluster.NodeID) *Host {
	for i := range in.Hosts {
		if in.Hosts[i].Node == id {
			return &in.Hosts[i]
		}
	}
	return nil
}

// encrypted reports whether the host's end of encrypted traffic is known.
func (h *Host) encrypted() bool { return h.Number != 0 && h.Key != "" && h.Address.IsValid() }

// local are the networks in which a host has a task, with their places in the
// result, which is by number.
func (in *Input) local(self cluster.NodeID) ([]*cluster.Network, map[cluster.NetworkID]int) {
	here := map[cluster.NetworkID]bool{}
	for i := range in.Tasks {
		if in.Tasks[i].Node == self {
			for _, a := range in.Tasks[i].Addresses {
				here[a.Network] = true
			}
		}
	}
	var all []*cluster.Network
	for i := range in.Networks {
		if n := &in.Networks[i]; here[n.ID] && n.Number != 0 && n.Subnet.IsValid() {
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b *cluster.Network) int { return cmp.Compare(a.Number, b.Number) })
	at := make(map[cluster.NetworkID]int, len(all))
	for i, n := range all {
		at[n.ID] = i
	}
	return all, at
}
