package overlay

import (
	"net"
	"net/netip"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/network"
)

// wireGuardLink is the interface between hosts.
const wireGuardLink = network.HostInterface

// Kinds of interfaces, as the kernel names them.
const (
	kindTUN       = "tuntap" // as package netlink names it
	kindWireGuard = "wireguard"
	kindVXLAN     = "vxlan"
	kindBridge    = "bridge"
)

// state is what the kernel has of what concerns us.
type state struct {
	// Underlay is the MTU of the interface that other hosts are reached by; 0: not known.
	Underlay int
	// Local: the host's own address is one of an interface. It is not where
	// somebody else translates addresses.
	Local     bool
	WireGuard wireGuardState
	Links     map[string]link // muster0, interfaces that are named as tunnels, and bridges
	// Redirects are the wanted bridges, and "all", that send ICMP redirects.
	Redirects map[string]bool
}

// wireGuardState is a WireGuard that this process is in charge of.
type wireGuardState struct {
	Running bool
	Index   int    // of its interface
	Public  string // its own key
	Port    uint16
	Peers   map[string]peer // by key
}

// peer is another host as WireGuard knows it. Endpoint is the one that it was
// told: a peer that moves tells its new one itself, and that is not undone.
type peer struct {
	Key      string
	Endpoint netip.AddrPort
	Address  netip.Addr
}

type link struct {
	Index     int
	Kind      string
	MTU       int
	Up        bool
	Master    int            // index of the bridge that it is a port of
	Addresses []netip.Prefix // muster0's
	VXLAN     vxlan
	Quiet     bool // as a port: the bridge learns nothing from it and floods no unicast to it
	Tables    tables
}

// vxlan is what cannot be changed in an interface: another one is made.
type vxlan struct {
	Number uint32
	Port   uint16
	Local  netip.Addr // zero: the kernel chooses
	Lower  int        // the interface that it goes away with; 0: none
	Proxy  bool       // it answers ARP itself
	Learns bool       // from strangers
}

// tables are what a VXLAN interface knows of containers on other hosts.
type tables struct {
	Forward    map[mac]netip.Addr // to which host
	Bridge     map[mac]bool       // what its bridge sends to it
	Neighbours map[netip.Addr]mac // what it answers ARP with
}

type mac [6]byte

func macOf(container netip.Addr) mac {
	parsed, _ := net.ParseMAC(cluster.MAC(container)) // which makes no other
	return mac(parsed)
}
