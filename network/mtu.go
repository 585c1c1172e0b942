package network

import (
	"cmp"
	"net/netip"
)

// What goes before a packet of a container between hosts, in bytes.
const (
	// wireGuardOverhead is what a packet grows by over IPv6, the larger case: 40
	// (IP) + 8 (UDP) + 32 (WireGuard).
	wireGuardOverhead = 80
	// vxlanOverhead is that of a frame over IPv4: 20 (IP) + 8 (UDP) + 8 (VXLAN) +
	// 14 (Ethernet). Over IPv6 it is larger by as much as that header is.
	vxlanOverhead = 50
	ipv6Larger    = 20

	usualMTU = 1500 // Ethernet's, where a link's own is not known
	leastMTU = 576  // what every host takes (RFC 791)
)

// HostMTU is how large a packet between hosts may be that travels over a link with
// encryption. link 0: it is not known.
func HostMTU(link int) int { return max(cmp.Or(link, usualMTU)-wireGuardOverhead, leastMTU) }

// MTU is how large a container's packet may be that travels over a link to a host
// with such an address. All that is made for a network has the same.
func MTU(link int, encrypt bool, host netip.Addr) int {
	out := cmp.Or(link, usualMTU) - vxlanOverhead
	switch {
	case encrypt:
		out -= wireGuardOverhead
	case host.Is6() && !host.Is4In6():
		out -= ipv6Larger
	}
	return max(out, leastMTU)
}
