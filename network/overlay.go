package network

import (
	"net/netip"

	"github.com/musterhq/muster/cluster"
)

// Overlay is the interfaces of one host and where they lead. Whatever of ours is
// there besides goes.
type Overlay struct {
	// Self is this host's address among hosts; zero: it has none yet, and there is
	// nothing to do.
	Self    netip.Addr
	Hosts   netip.Prefix // the range of such addresses
	Address netip.Addr   // this host's own, that others reach it at
	Encrypt bool
	Port    uint16 // of this host's WireGuard
	// Peers are the other hosts, by number. Without encryption they are those
	// that VXLAN packets are taken from.
	Peers []Peer
	// Tunnels are of the networks in which this host has a task, by number.
	Tunnels []Tunnel
}

// Peer is another host.
type Peer struct {
	Node     cluster.NodeID
	Address  netip.Addr     // among hosts
	Key      string         // WireGuard public key, base64; "": not known, so unreachable while traffic is encrypted
	Endpoint netip.AddrPort // of its WireGuard
}

// Tunnel joins the bridge of a network with those on other hosts. Nothing is
// flooded: every remote container has an entry.
type Tunnel struct {
	Network   cluster.NetworkID
	Number    uint32 // the VXLAN identifier
	Bridge    string // made by the engine; the tunnel waits for it
	Interface string
	// Remote are the containers on other hosts, by address.
	Remote []Remote
}

// Remote is a container on another host.
type Remote struct {
	Address netip.Addr // in the network; cluster.MAC of it is its hardware address
	Host    netip.Addr // where its frames go: among hosts if encrypted, else the host's own
}
