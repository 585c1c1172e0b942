package network

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/musterhq/muster/cluster"
)

// TestServicesOwnAddressNeedsARoute asks for a service in the first network of a task,
// in its second one, and from one that leads nowhere.
func TestServicesOwnAddressNeedsARoute(t *testing.T) {
	front, back := cluster.NewNetworkID("s", "front"), cluster.NewNetworkID("s", "back")
	address := netip.MustParseAddr
	of := func(network cluster.NetworkID, a string) cluster.TaskAddress {
		return cluster.TaskAddress{Network: network, Address: address(a)}
	}
	in := Input{
		Pool: cluster.DefaultNetworkPool, Hosts: []Host{{Node: "N1", Number: 1}},
		Networks: []cluster.Network{
			{ID: front, Number: 1, Subnet: netip.MustParsePrefix("10.194.0.0/22")},
			{ID: back, Number: 2, Subnet: netip.MustParsePrefix("10.194.4.0/22"), Internal: true},
		},
		Services: []Service{
			{ID: "s/db", Address: address("10.193.0.1"), Links: []cluster.NetworkLink{{Network: back}}},
			{ID: "s/web", Address: address("10.193.0.2"), Links: []cluster.NetworkLink{{Network: back}, {Network: front}}},
		},
		Tasks: []Task{
			{ID: "T1", Service: "s/db", Node: "N1", Ready: true, Addresses: []cluster.TaskAddress{of(back, "10.194.4.2")}},
			{ID: "T2", Service: "s/web", Node: "N1", Ready: true, Addresses: []cluster.TaskAddress{of(back, "10.194.4.3"), of(front, "10.194.0.3")}},
		},
	}
	z := ZoneOf(in, "N1", true)
	for _, tt := range []struct{ from, name, want string }{
		{"10.194.0.3", "web", "10.193.0.2"},
		{"10.194.4.3", "web", "10.193.0.2"},
		{"10.194.0.3", "db", "10.194.4.2"},
		{"10.194.4.2", "web", "10.194.4.3"},
	} {
		if got := z.Lookup(address(tt.from), address("10.194.0.1"), tt.name).Addresses; !slices.Equal(got, []netip.Addr{address(tt.want)}) {
			t.Errorf("%s from %s: got %v, want %s", tt.name, tt.from, got, tt.want)
		}
	}
}

// TestNoOtherStackTakesAName has another stack's service with the same name in a
// network that comes first.
func TestNoOtherStackTakesAName(t *testing.T) {
	own, shared := cluster.NewNetworkID("a", "default"), cluster.NewNetworkID("z", "shared")
	at := func(network cluster.NetworkID, a string) cluster.TaskAddress {
		return cluster.TaskAddress{Network: network, Address: netip.MustParseAddr(a)}
	}
	in := Input{
		Pool: cluster.DefaultNetworkPool, Hosts: []Host{{Node: "N1", Number: 1}},
		Networks: []cluster.Network{
			{ID: shared, Number: 1, Subnet: netip.MustParsePrefix("10.194.0.0/22"), Shared: true},
			{ID: own, Number: 2, Subnet: netip.MustParsePrefix("10.194.4.0/22")},
		},
		Services: []Service{
			{ID: "a/web", Links: []cluster.NetworkLink{{Network: shared}, {Network: own}}},
			{ID: "a/db", Links: []cluster.NetworkLink{{Network: own}}},
			{ID: "b/db", Links: []cluster.NetworkLink{{Network: shared}}},
			{ID: "b/mail", Links: []cluster.NetworkLink{{Network: shared, Aliases: []string{"db"}}}},
		},
		Tasks: []Task{
			{ID: "T1", Service: "a/web", Node: "N1", Ready: true, Addresses: []cluster.TaskAddress{at(shared, "10.194.0.2"), at(own, "10.194.4.2")}},
			{ID: "T2", Service: "a/db", Node: "N1", Addresses: []cluster.TaskAddress{at(own, "10.194.4.3")}},
			{ID: "T3", Service: "b/db", Node: "N1", Ready: true, Addresses: []cluster.TaskAddress{at(shared, "10.194.0.4")}},
			{ID: "T4", Service: "b/mail", Node: "N1", Ready: true, Addresses: []cluster.TaskAddress{at(shared, "10.194.0.5")}},
		},
	}
	a := ZoneOf(in, "N1", false).Lookup(netip.MustParseAddr("10.194.0.2"), netip.MustParseAddr("10.194.0.1"), "db")
	if a.Kind != Present || len(a.Addresses) != 0 {
		t.Errorf("while its own db is unhealthy a task gets %v", a)
	}
}

func TestHostWithoutANumberHasNothing(t *testing.T) {
	in := Input{Pool: cluster.DefaultNetworkPool, Hosts: []Host{{Node: "N1"}, {Node: "N2", Number: 2, Key: "k"}}}
	for _, self := range []cluster.NodeID{"N1", "N9"} {
		if o, r := OverlayOf(in, self), RulesOf(in, self); o.Self.IsValid() || len(o.Peers) > 0 || len(r.Peers) > 0 {
			t.Errorf("%s has %+v and %+v", self, o, r)
		}
	}
}

func TestPlainOfAHostWithoutAKey(t *testing.T) {
	in := Input{Encrypt: true, Hosts: []Host{{Node: "N1", Name: "n1"}, {Node: "N2", Name: "n2"}, {Node: "N3", Name: "n3", Down: true}}}
	if got := Plain(in, "N1"); len(got) != 1 {
		t.Errorf("got %q", got)
	}
	in.Hosts = in.Hosts[:1]
	if got := Plain(in, "N1"); len(got) != 0 {
		t.Errorf("alone: %q", got)
	}
}

// TestLookupAllocatesNothing holds for names that come in lower case.
func TestLookupAllocatesNothing(t *testing.T) {
	z := ZoneOf(twoStacks(), "N1", true)
	from, gateway := netip.MustParseAddr("10.194.0.2"), netip.MustParseAddr("10.194.0.1")
	if n := testing.AllocsPerRun(100, func() { z.Lookup(from, gateway, "v0.s0.") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
