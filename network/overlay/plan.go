package overlay

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/musterhq/muster/network"
)

// plan is what is to be done, in this order, to have what is wanted; nothing if
// all is as it should be. The problems are those that no action solves.
func plan(want network.Overlay, have state) (actions []action, problems []string) {
	if !want.Self.IsValid() {
		want = network.Overlay{} // no address, no interfaces
	}
	p := planner{want: want, have: have, mtu: network.MTU(have.Underlay, want.Encrypt, want.Address)}
	p.unwanted()
	if want.Encrypt {
		p.wireGuard()
	}
	p.redirects()
	for i := range want.Tunnels {
		p.tunnel(&want.Tunnels[i])
	}
	return p.actions, p.problems
}

type planner struct {
	want     network.Overlay
	have     state
	mtu      int // of tunnels
	actions  []action
	problems []string
}

func (p *planner) do(a action) { p.actions = append(p.actions, a) }

// unwanted removes what is ours and not wanted. Interfaces of other kinds are not
// ours, whatever their names.
func (p *planner) unwanted() {
	wanted := make(map[string]bool)
	for _, t := range p.want.Tunnels {
		wanted[t.Interface] = true
	}
	for _, name := range slices.Sorted(maps.Keys(p.have.Links)) {
		if p.have.Links[name].Kind == kindVXLAN && !wanted[name] {
			p.remove(name, "this host has no task in its network")
		}
	}
	l, there := p.have.Links[wireGuardLink]
	switch {
	case !there:
	case !p.want.Encrypt:
		p.remove(wireGuardLink, "traffic between hosts is not encrypted")
	case l.Kind != kindTUN && l.Kind != kindWireGuard:
		p.remove(wireGuardLink, "it is not WireGuard's but of kind "+l.Kind)
	}
}

func (p *planner) remove(name, why string) {
	p.do(removeLink{name, why})
	p.have.Links = maps.Clone(p.have.Links)
	delete(p.have.Links, name)
}

// redirects stops the kernel from telling containers of a shorter way to a
// service's address, which it takes that of a task for. An interface redirects if
// its own setting or that for all says so; so turning off the latter changes
// nothing for interfaces of others, whose own stays as it is.
func (p *planner) redirects() {
	for _, name := range slices.Sorted(maps.Keys(p.have.Redirects)) {
		if p.have.Redirects[name] {
			p.do(noRedirects{name})
		}
	}
}

// set brings an interface up with that MTU.
func (p *planner) set(name string, l link, mtu int) {
	if l.MTU != mtu {
		p.do(setMTU{name, mtu})
	}
	if !l.Up {
		p.do(setUp{name})
	}
}

// prefix is the host's address in the range of hosts, so that the kernel routes
// the range to it.
func prefix(o network.Overlay) netip.Prefix { return netip.PrefixFrom(o.Self, o.Hosts.Bits()) }
