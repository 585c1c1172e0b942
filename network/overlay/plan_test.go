package overlay

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/network"
)

// model is a kernel that does what it is told.
type model struct {
	state
	index int
}

func (m *model) do(t interface{ Fatalf(string, ...any) }, a action) {
	change := func(name string, with func(*link)) {
		l, there := m.Links[name]
		if !there {
			t.Fatalf("%s: there is no %s", a, name)
		}
		with(&l)
		m.Links[name] = l
	}
	switch a := a.(type) {
	case removeLink:
		gone := m.Links[a.Name].Index
		delete(m.Links, a.Name)
		maps.DeleteFunc(m.Links, func(_ string, l link) bool { return gone != 0 && l.VXLAN.Lower == gone })
	case startWireGuard:
		l, there := m.Links[wireGuardLink]
		if !there {
			m.index++
			l = link{Index: m.index, Kind: kindTUN}
		}
		l.MTU = a.MTU
		m.Links[wireGuardLink] = l
		m.WireGuard = wireGuardState{Running: true, Index: l.Index, Public: m.WireGuard.Public, Port: a.Port, Peers: map[string]peer{}}
	case setPort:
		m.WireGuard.Port = a.Port
	case setPeers:
		for _, key := range a.Remove {
			delete(m.WireGuard.Peers, key)
		}
		for _, p := range a.Set {
			m.WireGuard.Peers[p.Key] = p
		}
	case setMTU:
		change(a.Name, func(l *link) { l.MTU = a.MTU })
	case setUp:
		change(a.Name, func(l *link) { l.Up = true })
	case addAddress:
		change(wireGuardLink, func(l *link) { l.Addresses = append(l.Addresses, a.Prefix) })
	case removeAddress:
		change(wireGuardLink, func(l *link) {
			l.Addresses = slices.DeleteFunc(slices.Clone(l.Addresses), func(p netip.Prefix) bool { return p == a.Prefix })
		})
	case addTunnel:
		m.index++
		l := link{Index: m.index, Kind: kindVXLAN, MTU: a.MTU, VXLAN: a.VXLAN, Tables: noTables()}
		if a.Lower {
			l.VXLAN.Lower = m.Links[wireGuardLink].Index
		}
		m.Links[a.Name] = l
	case attach:
		change(a.Name, func(l *link) { l.Master = m.Links[a.Bridge].Index })
	case quiet:
		change(a.Name, func(l *link) { l.Quiet = true })
	case setEntries:
		change(a.Name, func(l *link) { l.Tables.change(a) })
	case noRedirects:
		m.Redirects[a.Bridge] = false
	}
}

func noTables() tables {
	return tables{map[mac]netip.Addr{}, map[mac]bool{}, map[netip.Addr]mac{}}
}

func (t *tables) change(a setEntries) {
	for _, m := range a.RemoveForward {
		delete(t.Forward, m)
	}
	for _, m := range a.RemoveBridge {
		delete(t.Bridge, m)
	}
	for _, n := range a.RemoveNeighbours {
		delete(t.Neighbours, n)
	}
	for _, e := range a.Forward {
		t.Forward[e.MAC] = e.Host
		if a.Bridged {
			t.Bridge[e.MAC] = true
		}
	}
	for _, e := range a.Neighbours {
		t.Neighbours[e.Address] = e.MAC
	}
}

var hosts = netip.MustParsePrefix("10.192.0.0/16")

func hostAddress(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 192, 0, byte(n)}) }

func containerAddress(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 194, byte(n >> 8), byte(n)})
}

func keyOf(n int) string {
	raw := make([]byte, keyBytes)
	raw[0] = byte(n)
	return base64.StdEncoding.EncodeToString(raw)
}

// draw is some overlay of few hosts and networks, so that two of them have much in
// common.
func draw(t *rapid.T) network.Overlay {
	o := network.Overlay{
		Self: hostAddress(1), Hosts: hosts, Address: netip.MustParseAddr("192.0.2.1"),
		Encrypt: rapid.Bool().Draw(t, "encrypt"), Port: rapid.SampledFrom([]uint16{0, 7072, 9}).Draw(t, "port"),
	}
	if rapid.IntRange(0, 9).Draw(t, "no address") == 0 {
		o.Self = netip.Addr{}
	}
	for n := 2; n < 5; n++ {
		if rapid.Bool().Draw(t, "peer") {
			o.Peers = append(o.Peers, network.Peer{
				Node: cluster.NodeID(fmt.Sprint("node", n)), Address: hostAddress(n),
				Key:      rapid.SampledFrom([]string{"", "AAAA", keyOf(n), keyOf(n + 10), keyOf(2)}).Draw(t, "key"),
				Endpoint: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 7072),
			})
		}
	}
	for n := uint32(1); n < 4; n++ {
		if !rapid.Bool().Draw(t, "tunnel") {
			continue
		}
		tunnel := network.Tunnel{Number: n, Bridge: fmt.Sprint("mu", n), Interface: fmt.Sprint("mx", n)}
		for c := range 4 {
			if rapid.Bool().Draw(t, "remote") {
				tunnel.Remote = append(tunnel.Remote, network.Remote{Address: containerAddress(c), Host: hostAddress(rapid.IntRange(2, 4).Draw(t, "host"))})
			}
		}
		o.Tunnels = append(o.Tunnels, tunnel)
	}
	return o
}

// TestPlanEnds: from whatever an overlay before and the engine left, one plan,
// done, leaves nothing to do, and nothing that is not wanted.
func TestPlanEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{state: state{Links: map[string]link{}, Local: rapid.Bool().Draw(t, "local")}, index: 100}
		m.WireGuard.Public = keyOf(1)
		for range rapid.IntRange(1, 4).Draw(t, "steps") {
			want := draw(t)
			m.Underlay = rapid.SampledFrom([]int{0, 1500, 9000}).Draw(t, "underlay")
			m.Redirects = map[string]bool{}
			for _, tunnel := range want.Tunnels {
				m.index++
				if rapid.Bool().Draw(t, "bridge") {
					m.Links[tunnel.Bridge] = link{Index: m.index, Kind: kindBridge}
					m.Redirects[tunnel.Bridge], m.Redirects["all"] = true, true
				}
			}
			actions, _ := plan(want, m.state)
			for _, a := range actions {
				m.do(t, a)
			}
			if more, _ := plan(want, m.state); len(more) > 0 {
				t.Fatalf("after %v there is more to do: %v", actions, more)
			}
			m.check(t, want)
		}
	})
}

func (m *model) check(t *rapid.T, want network.Overlay) {
	_, there := m.Links[wireGuardLink]
	if there != (want.Encrypt && want.Self.IsValid()) {
		t.Fatalf("%s is there: %v", wireGuardLink, there)
	}
	tunnels := 0
	for name, l := range m.Links {
		if l.Kind != kindVXLAN {
			continue
		}
		tunnels++
		if want.Encrypt != (l.VXLAN.Lower != 0) {
			t.Fatalf("%s: encrypted %v, and goes through interface %d", name, want.Encrypt, l.VXLAN.Lower)
		}
	}
	if want.Self.IsValid() && tunnels != len(want.Tunnels) || !want.Self.IsValid() && tunnels != 0 {
		t.Fatalf("%d tunnels", tunnels)
	}
}

// TestPlanChangesOnlyWhatDiffers: a container that moves costs one entry, and a
// host that leaves disturbs no other.
func TestPlanChangesOnlyWhatDiffers(t *testing.T) {
	const remotes = 10000
	want := network.Overlay{Self: hostAddress(1), Hosts: hosts, Encrypt: true, Tunnels: []network.Tunnel{{Number: 1, Bridge: "mu1", Interface: "mx1"}}}
	for n := 2; n < 5; n++ {
		want.Peers = append(want.Peers, network.Peer{Address: hostAddress(n), Key: keyOf(n)})
	}
	for n := range remotes {
		want.Tunnels[0].Remote = append(want.Tunnels[0].Remote, network.Remote{Address: containerAddress(n), Host: hostAddress(2 + n%3)})
	}
	m := &model{state: state{Links: map[string]link{"mu1": {Index: 7, Kind: kindBridge}}, Redirects: map[string]bool{}}, index: 100}
	all, _ := plan(want, m.state)
	for _, a := range all {
		m.do(t, a)
	}
	want.Tunnels[0].Remote[6].Host = hostAddress(4)
	want.Tunnels[0].Remote = want.Tunnels[0].Remote[:remotes-1]
	want.Peers = want.Peers[1:]
	actions, problems := plan(want, m.state) // remote 6 was on host 2
	if len(actions) != 2 || len(problems) != 0 {
		t.Fatalf("got %v, %v", actions, problems)
	}
	if p, ok := actions[0].(setPeers); !ok || len(p.Set) != 0 || !slices.Equal(p.Remove, []string{keyOf(2)}) {
		t.Errorf("got %+v", actions[0])
	}
	e, ok := actions[1].(setEntries)
	if !ok || len(e.Forward) != 1 || len(e.Neighbours) != 0 || len(e.RemoveForward) != 1 || len(e.RemoveBridge) != 1 || len(e.RemoveNeighbours) != 1 {
		t.Errorf("got %+v", actions[1])
	}
}

func TestPlanProblems(t *testing.T) {
	base := network.Overlay{Self: hostAddress(1), Hosts: hosts, Encrypt: true}
	for name, c := range map[string]struct {
		change func(*network.Overlay, *state)
		want   string
	}{
		"no key": {func(o *network.Overlay, _ *state) {
			for range 5 {
				o.Peers = append(o.Peers, network.Peer{Node: "n"})
			}
		}, "n, n, n, and 2 more"},
		"a bad key": {func(o *network.Overlay, _ *state) { o.Peers = []network.Peer{{Node: "n", Key: "AAAA"}} }, "is not one"},
		"our own key": {func(o *network.Overlay, s *state) {
			o.Peers, s.WireGuard.Public = []network.Peer{{Node: "n", Key: keyOf(1)}}, keyOf(1)
		}, "disk copied"},
		"a key twice": {func(o *network.Overlay, _ *state) {
			o.Peers = []network.Peer{{Node: "m", Key: keyOf(2)}, {Node: "n", Key: keyOf(2)}}
		}, "host n has the network key"},
		"a name taken": {func(o *network.Overlay, s *state) {
			o.Tunnels, s.Links = []network.Tunnel{{Interface: "mx1"}}, map[string]link{"mx1": {Kind: "veth"}}
		}, "taken by an interface of kind veth"},
		"a bridge that is none": {func(o *network.Overlay, s *state) {
			o.Tunnels, s.Links = []network.Tunnel{{Interface: "mx1", Bridge: "mu1"}}, map[string]link{"mu1": {Kind: "veth"}}
		}, "taken by an interface of kind veth"},
	} {
		t.Run(name, func(t *testing.T) {
			want, have := base, state{}
			c.change(&want, &have)
			actions, problems := plan(want, have)
			if len(problems) != 1 || !strings.Contains(problems[0], c.want) {
				t.Errorf("got %q, and would do %v", problems, actions)
			}
		})
	}
}
