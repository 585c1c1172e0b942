package overlay

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/musterhq/muster/network"
)

// tunnel plans the VXLAN interface of one network, as a port of its bridge as soon
// as that is there.
func (p *planner) tunnel(t *network.Tunnel) {
	l, there := p.have.Links[t.Interface]
	if there && l.Kind != kindVXLAN {
		p.problem("the name %s is taken by an interface of kind %s: the network %s stays on this host; remove or rename that interface", t.Interface, l.Kind, t.Network)
		return
	}
	want := p.vxlan(t)
	if there && l.VXLAN != want {
		p.remove(t.Interface, "it was made for other settings")
		there = false
	}
	if !there {
		l = link{MTU: p.mtu}
		p.do(addTunnel{Name: t.Interface, VXLAN: want, Lower: p.want.Encrypt, MTU: p.mtu})
	}
	p.set(t.Interface, l, p.mtu)
	attached := p.attach(t, l)
	p.entries(t, l.Tables, attached)
}

func (p *planner) vxlan(t *network.Tunnel) vxlan {
	want := vxlan{Number: t.Number, Port: network.VXLANPort, Proxy: true}
	switch {
	case p.want.Encrypt:
		want.Local, want.Lower = p.want.Self, p.have.Links[wireGuardLink].Index
	case p.have.Local:
		want.Local = p.want.Address
	}
	return want
}

// attach reports whether the interface is a port of its bridge after this plan.
//
// The bridge is told by static entries which frames go to other hosts, learns
// nothing from there, and sends no frame for an unknown container there: else
// every container on this host would see what is sent to other hosts, as the
// bridge floods what it does not know. Broadcasts do go to the tunnel, which
// answers ARP for the containers that it knows and drops all else.
func (p *planner) attach(t *network.Tunnel, l link) bool {
	bridge, there := p.have.Links[t.Bridge]
	if !there {
		return false // the engine makes it with the first container
	}
	if bridge.Kind != kindBridge {
		p.problem("the name %s is taken by an interface of kind %s: the network %s does not work on this host; remove or rename that interface", t.Bridge, bridge.Kind, t.Network)
		return false
	}
	if l.Master != bridge.Index {
		p.do(attach{t.Interface, t.Bridge})
		l.Quiet = false
	}
	if !l.Quiet {
		p.do(quiet{t.Interface})
	}
	return true
}

// entries are differences: one container that moves is one change, of however many.
func (p *planner) entries(t *network.Tunnel, have tables, attached bool) {
	change := setEntries{Name: t.Interface, Via: p.want.Encrypt, Bridged: attached}
	macs := make(map[mac]bool, len(t.Remote))
	addresses := make(map[netip.Addr]bool, len(t.Remote))
	for _, r := range t.Remote {
		e := entry{Address: r.Address, MAC: macOf(r.Address), Host: r.Host}
		macs[e.MAC], addresses[e.Address] = true, true
		if have.Forward[e.MAC] != e.Host || attached && !have.Bridge[e.MAC] {
			change.Forward = append(change.Forward, e)
		}
		if have.Neighbours[e.Address] != e.MAC {
			change.Neighbours = append(change.Neighbours, e)
		}
	}
	change.RemoveForward = left(have.Forward, macs, compareMAC)
	change.RemoveBridge = left(have.Bridge, macs, compareMAC)
	change.RemoveNeighbours = left(have.Neighbours, addresses, netip.Addr.Compare)
	if len(change.Forward)+len(change.Neighbours)+len(change.RemoveForward)+len(change.RemoveBridge)+len(change.RemoveNeighbours) > 0 {
		p.do(change)
	}
}

// left are the keys that are there and not wanted.
func left[K comparable, V any](have map[K]V, want map[K]bool, compare func(a, b K) int) []K {
	var out []K
	for k := range maps.Keys(have) {
		if !want[k] {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, compare)
	return out
}

func compareMAC(a, b mac) int { return cmp.Compare(string(a[:]), string(b[:])) }
