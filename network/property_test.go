package network

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
)

// inputs are clusters of a few hosts, networks and services. Every address is given
// once.
func inputs() *rapid.Generator[Input] {
	return rapid.Custom(func(t *rapid.T) Input {
		in := Input{Pool: cluster.DefaultNetworkPool, Encrypt: rapid.Bool().Draw(t, "encrypt")}
		for i := range rapid.IntRange(1, 4).Draw(t, "hosts") {
			h := Host{Node: cluster.NodeID(fmt.Sprintf("N%d", i+1)), Down: rapid.Bool().Draw(t, "down"), Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})}
			if rapid.IntRange(0, 4).Draw(t, "numbered") > 0 {
				h.Number = uint16(i + 1)
			}
			if rapid.IntRange(0, 4).Draw(t, "keyed") > 0 {
				h.Key = "k"
			}
			in.Hosts = append(in.Hosts, h)
		}
		for i := range rapid.IntRange(1, 4).Draw(t, "networks") {
			in.Networks = append(in.Networks, cluster.Network{
				ID: cluster.NetworkID(fmt.Sprintf("s%d/n", i%2)), Number: uint32(i + 1), Internal: rapid.Bool().Draw(t, "internal"),
				Subnet: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 194, byte(4 * i), 0}), 22),
			})
			in.Networks[i].ID += cluster.NetworkID(fmt.Sprint(i))
		}
		for i := range rapid.IntRange(1, 5).Draw(t, "services") {
			s := Service{ID: cluster.ServiceID(fmt.Sprintf("s%d/v%d", i%2, i/2)), Ports: []Port{{"tcp", 80}}}
			if rapid.Bool().Draw(t, "virtual") {
				s.Address = netip.AddrFrom4([4]byte{10, 193, 0, byte(i + 1)})
			}
			for _, n := range in.Networks {
				if rapid.Bool().Draw(t, "linked") {
					s.Links = append(s.Links, cluster.NetworkLink{Network: n.ID, Aliases: []string{rapid.SampledFrom([]string{"x", "v0", "Y"}).Draw(t, "alias")}})
				}
			}
			in.Services = append(in.Services, s)
			for j := range rapid.IntRange(0, 3).Draw(t, "tasks") {
				in.Tasks = append(in.Tasks, taskFor(t, &in, s, i, j))
			}
		}
		return in
	})
}

func taskFor(t *rapid.T, in *Input, s Service, i, j int) Task {
	task := Task{
		ID: cluster.TaskID(fmt.Sprintf("T%d%d", i, j)), Service: s.ID, Node: rapid.SampledFrom(in.Hosts).Draw(t, "host").Node,
		Ready: rapid.Bool().Draw(t, "ready"), Hostname: rapid.SampledFrom([]string{"", "h", "v0"}).Draw(t, "hostname"),
	}
	for _, l := range s.Links {
		k := slices.IndexFunc(in.Networks, func(n cluster.Network) bool { return n.ID == l.Network })
		task.Addresses = append(task.Addresses, cluster.TaskAddress{
			Network: l.Network, Address: netip.AddrFrom4([4]byte{10, 194, byte(4 * k), byte(10*i + j + 2)}),
		})
	}
	return task
}

// shuffled has all of the input in another order.
func shuffled(in Input, seed uint64) Input {
	r := rand.New(rand.NewPCG(seed, 0))
	in.Hosts, in.Networks, in.Services, in.Tasks = slices.Clone(in.Hosts), slices.Clone(in.Networks), slices.Clone(in.Services), slices.Clone(in.Tasks)
	for _, all := range []any{in.Hosts, in.Networks, in.Services, in.Tasks} {
		r.Shuffle(reflect.ValueOf(all).Len(), reflect.Swapper(all))
	}
	return in
}

var questions = []string{
	"v0", "v1", "v2", "v0.s0", "v0.s1", "v1.s0", "v1.s1", "tasks.v0", "tasks.v0.s1", "x", "y", "h", "t00.tasks.v0.s0", "_80._tcp.v0", "_80._tcp.x",
	"v9.s0", "example.com", "nobody", "2.0.194.10.in-addr.arpa", "12.4.194.10.in-addr.arpa", "1.0.193.10.in-addr.arpa",
}

func TestNothingDependsOnTheOrderOfTheInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := inputs().Draw(t, "in")
		b := shuffled(a, rapid.Uint64().Draw(t, "seed"))
		if diff := cmp.Diff(OverlayOf(a, "N1"), OverlayOf(b, "N1"), equal); diff != "" {
			t.Fatalf("overlay:\n%s", diff)
		}
		if diff := cmp.Diff(RulesOf(a, "N1"), RulesOf(b, "N1"), equal); diff != "" {
			t.Fatalf("rules:\n%s", diff)
		}
		for _, virtual := range []bool{false, true} {
			x, y := ZoneOf(a, "N1", virtual), ZoneOf(b, "N1", virtual)
			everyone(a, func(from, gateway netip.Addr, _ []cluster.NetworkID) {
				for _, q := range questions {
					if diff := cmp.Diff(x.Lookup(from, gateway, q), y.Lookup(from, gateway, q), equal); diff != "" {
						t.Fatalf("%s from %s at %s:\n%s", q, from, gateway, diff)
					}
				}
			})
		}
	})
}

// everyone who may ask on N1: its tasks from each of their addresses, and its engine
// at the gateways of the networks that it has tasks in.
func everyone(in Input, ask func(from, gateway netip.Addr, networks []cluster.NetworkID)) {
	local, _ := in.local("N1")
	for _, n := range local {
		ask(netip.MustParseAddr("127.0.0.1"), n.Gateway(), []cluster.NetworkID{n.ID})
	}
	for _, t := range in.Tasks {
		var networks []cluster.NetworkID
		for _, a := range t.Addresses {
			networks = append(networks, a.Network)
		}
		for _, a := range t.Addresses {
			if t.Node == "N1" {
				ask(a.Address, netip.MustParseAddr("10.194.0.1"), networks)
			}
		}
	}
}

// TestNamesLeadIntoTheAskersNetworksAlone looks at every address of every answer: it
// is one of a ready task, or of a service, in a network of the asker.
func TestNamesLeadIntoTheAskersNetworksAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := inputs().Draw(t, "in")
		z := ZoneOf(in, "N1", rapid.Bool().Draw(t, "virtual"))
		everyone(in, func(from, gateway netip.Addr, networks []cluster.NetworkID) {
			may := map[netip.Addr]bool{}
			for _, s := range in.Services {
				for _, l := range s.Links {
					may[s.Address] = may[s.Address] || slices.Contains(networks, l.Network)
				}
			}
			for _, task := range in.Tasks {
				for _, a := range task.Addresses {
					may[a.Address] = task.Ready && slices.Contains(networks, a.Network)
				}
			}
			for _, q := range questions {
				a := z.Lookup(from, gateway, q)
				for _, address := range a.Addresses {
					if !may[address] {
						t.Fatalf("%s from %s: %s", q, from, address)
					}
				}
				for _, target := range a.Targets {
					// Asked for by its own name, it may answer in another network that both are in.
					if again := z.Lookup(from, gateway, target.Name); !may[target.Address] || len(again.Addresses) != 1 || !may[again.Addresses[0]] {
						t.Fatalf("%s from %s: %v, which is %v", q, from, target, again)
					}
				}
				if a.Kind == Foreign && (!strings.Contains(q, ".") || strings.HasPrefix(q, "v0.") || strings.HasSuffix(q, "194.10.in-addr.arpa")) &&
					(q != "v0.s1" || len(in.Services) > 1) {
					t.Fatalf("%s from %s leaves the host", q, from)
				}
			}
		})
	})
}

// TestOverlayLeadsToOthersAlone looks at every remote container: it is one of another
// host that is up, in a network that this host has a task in.
func TestOverlayLeadsToOthersAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := inputs().Draw(t, "in")
		o := OverlayOf(in, "N1")
		at := map[netip.Addr]*Host{}
		for _, task := range in.Tasks {
			for _, a := range task.Addresses {
				at[a.Address] = in.host(task.Node)
			}
		}
		for _, tunnel := range o.Tunnels {
			for _, r := range tunnel.Remote {
				h := at[r.Address]
				if h.Node == "N1" || h.Down || h.Number == 0 {
					t.Fatalf("%v is on %+v", r, h)
				}
				if in.Encrypt && (h.Key == "" || !o.Hosts.Contains(r.Host)) {
					t.Fatalf("frames to %v go out in the clear", r)
				}
			}
		}
		if slices.ContainsFunc(o.Peers, func(p Peer) bool { return p.Node == "N1" || p.Address == o.Self }) {
			t.Fatalf("a host is its own peer: %v", o.Peers)
		}
	})
}

func FuzzLookup(f *testing.F) {
	for _, q := range questions {
		f.Add(q)
	}
	in := twoStacks()
	plain, virtual := ZoneOf(in, "N1", false), ZoneOf(in, "N1", true)
	f.Fuzz(func(t *testing.T, name string) {
		for _, from := range []string{"10.194.0.2", "192.0.2.1"} {
			a := plain.Lookup(netip.MustParseAddr(from), netip.MustParseAddr("10.194.0.1"), name)
			b := virtual.Lookup(netip.MustParseAddr(from), netip.MustParseAddr("10.194.0.1"), name)
			for _, address := range slices.Concat(a.Addresses, b.Addresses) {
				if address == netip.MustParseAddr("10.194.4.2") {
					t.Errorf("%q leads into another network", name)
				}
			}
			if !strings.Contains(name, ".") && name != "" && a.Kind == Foreign {
				t.Errorf("%q leaves the host", name)
			}
		}
	})
}

// twoStacks has one network for each of two stacks, on one host.
func twoStacks() Input {
	in := Input{Pool: cluster.DefaultNetworkPool, Hosts: []Host{{Node: "N1", Number: 1}}}
	for i, stack := range []string{"s0", "s1"} {
		id := cluster.NewNetworkID(stack, "default")
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 194, byte(4 * i), 0}), 22)
		service := cluster.NewServiceID(stack, "v0")
		in.Networks = append(in.Networks, cluster.Network{ID: id, Number: uint32(i + 1), Subnet: subnet})
		in.Services = append(in.Services, Service{ID: service, Address: netip.AddrFrom4([4]byte{10, 193, 0, byte(i + 1)}), Links: []cluster.NetworkLink{{Network: id, Aliases: []string{"x"}}}, Ports: []Port{{"tcp", 80}}})
		in.Tasks = append(in.Tasks, Task{ID: cluster.TaskID(fmt.Sprintf("T%d", i)), Service: service, Node: "N1", Ready: true, Addresses: []cluster.TaskAddress{{Network: id, Address: subnet.Addr().Next().Next()}}})
	}
	return in
}
