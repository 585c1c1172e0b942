package overlay

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/network"
)

// keyBytes is the length of a WireGuard key.
const keyBytes = 32

// wireGuard plans the interface between hosts. Peers that stay as they are keep
// their sessions.
func (p *planner) wireGuard() {
	l, there := p.have.Links[wireGuardLink]
	running := p.have.WireGuard
	port := cmp.Or(p.want.Port, network.WireGuardPort)
	mtu := network.HostMTU(p.have.Underlay)
	if !there || !running.Running || running.Index != l.Index {
		p.do(startWireGuard{MTU: mtu, Port: port})
		running.Peers, running.Port = nil, port
		l.MTU = mtu
	}
	if running.Port != port {
		p.do(setPort{port})
	}
	p.address(l)
	p.set(wireGuardLink, l, mtu)
	want := p.peers()
	var change setPeers
	for _, key := range slices.Sorted(maps.Keys(running.Peers)) {
		if _, stays := want[key]; !stays {
			change.Remove = append(change.Remove, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if running.Peers[key] != want[key] {
			change.Set = append(change.Set, want[key])
		}
	}
	if len(change.Set)+len(change.Remove) > 0 {
		p.do(change)
	}
}

// address gives the interface this host's address, and no other IPv4 one.
func (p *planner) address(l link) {
	want := prefix(p.want)
	for _, a := range l.Addresses {
		if a != want {
			p.do(removeAddress{a})
		}
	}
	if !slices.Contains(l.Addresses, want) {
		p.do(addAddress{want})
	}
}

// peers are the other hosts that have a usable key, by key. A key that two claim
// is the first one's: packets cannot be told apart by anything else.
func (p *planner) peers() map[string]peer {
	out := make(map[string]peer, len(p.want.Peers))
	var keyless []cluster.NodeID
	for _, w := range p.want.Peers {
		raw, err := base64.StdEncoding.DecodeString(w.Key)
		_, taken := out[w.Key]
		switch {
		case w.Key == "":
			keyless = append(keyless, w.Node)
		case err != nil || len(raw) != keyBytes:
			p.problem("the network key of host %s is not one: its containers are not reached from here; restart its agent", w.Node)
		case taken || w.Key == p.have.WireGuard.Public:
			p.problem("host %s has the network key of another host: its containers are not reached from here; was its disk copied? Remove network.key from its data directory and restart its agent", w.Node)
		default:
			out[w.Key] = peer{Key: w.Key, Endpoint: w.Endpoint, Address: w.Address}
		}
	}
	p.keyless(keyless)
	return out
}

func (p *planner) keyless(hosts []cluster.NodeID) {
	const shown = 3
	if len(hosts) == 0 {
		return
	}
	var names []string
	for _, h := range hosts[:min(len(hosts), shown)] {
		names = append(names, string(h))
	}
	if len(hosts) > shown {
		names = append(names, fmt.Sprintf("and %d more", len(hosts)-shown))
	}
	p.problem("no network key is known of %s: containers there are not reached from here until the agent there tells its key; is it of this version, and running?", strings.Join(names, ", "))
}

func (p *planner) problem(format string, args ...any) {
	p.problems = append(p.problems, fmt.Sprintf(format, args...))
}
