package hostroutes

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"

	"github.com/vishvananda/netlink"
)

// Most is how many prefixes Read returns at most: of more, the shortest ones, which
// have most addresses.
const Most = 64

// own are the interfaces of the cluster's networks on this host: bridges, tunnels,
// and the way to other hosts.
var own = regexp.MustCompile(`^(mu[0-9]+|mx[0-9]+|muster0)$`)

// Read returns what the host's routes and addresses lead to, in order and without
// what others contain. The default route is none of them, nor is the loopback.
func Read() ([]netip.Prefix, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("read the host's interfaces: %w", err)
	}
	ours := map[int]bool{}
	for _, l := range links {
		a := l.Attrs()
		ours[a.Index] = own.MatchString(a.Name) || a.Flags&net.FlagLoopback != 0
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("read the host's routes: %w", err)
	}
	var found []netip.Prefix
	for _, r := range routes {
		if !ours[r.LinkIndex] {
			found = append(found, prefix(r.Dst))
		}
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("read the host's addresses: %w", err)
	}
	for _, a := range addresses {
		if !ours[a.LinkIndex] {
			found = append(found, prefix(a.IPNet))
		}
	}
	return tidy(found), nil
}

// prefix is a network of the kernel's as a value; one that is not IPv4 is invalid.
func prefix(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	a, ok := netip.AddrFromSlice(n.IP.To4())
	bits, size := n.Mask.Size()
	if !ok || size != 32 {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// tidy sorts the prefixes, without default routes and what others contain, and
// keeps no more than Most.
func tidy(all []netip.Prefix) []netip.Prefix {
	all = slices.DeleteFunc(slices.Clone(all), func(p netip.Prefix) bool { return !p.IsValid() || p.Bits() == 0 })
	slices.SortFunc(all, func(a, b netip.Prefix) int {
		return cmp.Or(cmp.Compare(a.Bits(), b.Bits()), a.Addr().Compare(b.Addr()))
	})
	var out []netip.Prefix
	for _, p := range all {
		if len(out) < Most && !slices.ContainsFunc(out, p.Overlaps) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	return out
}
