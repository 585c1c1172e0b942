package filter

import (
	"net/netip"

	"github.com/musterhq/muster/network"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// example has something of everything.
func example() network.Rules {
	return network.Rules{
		VXLANFrom: "muster0",
		Peers:     []netip.Addr{addr("10.192.0.2"), addr("10.192.0.3")},
		Services: []network.VirtualService{
			{Bridge: "mu1", Address: addr("10.193.0.1"), Tasks: []netip.Addr{addr("10.194.0.2"), addr("10.194.0.3")}},
			{Bridge: "mu2", Address: addr("10.193.0.1"), Tasks: []netip.Addr{addr("10.194.4.2"), addr("10.194.4.3")}},
			{Bridge: "mu2", Address: addr("10.193.0.2"), Tasks: []netip.Addr{addr("10.194.4.9")}},
			{Bridge: "mu1", Address: addr("10.193.0.3")},
		},
		Published: []network.PublishedPort{
			{Protocol: "tcp", Port: 80, Tasks: []netip.AddrPort{netip.MustParseAddrPort("10.194.0.2:8080")}, Of: 2},
			{Protocol: "udp", Port: 53, Tasks: []netip.AddrPort{netip.MustParseAddrPort("10.194.4.9:53")}, Of: 1},
			{Protocol: "tcp", Port: 443, Of: 3},
		},
		Bridges: []network.Bridge{{Name: "mu1", Gateway: addr("10.194.0.1")}, {Name: "mu2", Gateway: addr("10.194.4.1")}},
		Ranges:  []netip.Prefix{netip.MustParsePrefix("10.192.0.0/11"), netip.MustParsePrefix("10.194.0.0/22"), netip.MustParsePrefix("172.30.0.0/24")},
		Virtual: netip.MustParsePrefix("10.193.0.0/16"),
	}
}
