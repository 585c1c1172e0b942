package network

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// OverlayOf makes the interfaces of a host. Hosts that are down stay peers, as they
// may come back, but nothing is sent to containers there. While traffic is encrypted
// neither is to those on hosts without a key: nothing goes out in the clear instead.
func OverlayOf(in Input, self cluster.NodeID) Overlay {
	me := in.host(self)
	if me == nil || me.Number == 0 || !in.Pool.IsValid() {
		return Overlay{}
	}
	o := Overlay{
		Self: in.pool().Host(me.Number), Hosts: in.pool().Hosts(), Address: me.Address,
		Encrypt: in.Encrypt, Port: me.port(),
	}
	for i := range in.Hosts {
		if h := &in.Hosts[i]; h.Node != self && h.Number != 0 {
			o.Peers = append(o.Peers, in.peer(h))
		}
	}
	slices.SortFunc(o.Peers, func(a, b Peer) int { return a.Address.Compare(b.Address) })
	local, at := in.local(self)
	for _, n := range local {
		o.Tunnels = append(o.Tunnels, Tunnel{Network: n.ID, Number: n.Number, Bridge: n.Bridge(), Interface: n.Tunnel()})
	}
	ends := in.ends(self)
	for i := range in.Tasks {
		t := &in.Tasks[i]
		end, reachable := ends[t.Node]
		if !reachable {
			continue
		}
		for _, a := range t.Addresses {
			if j, ok := at[a.Network]; ok {
				o.Tunnels[j].Remote = append(o.Tunnels[j].Remote, Remote{Address: a.Address, Host: end})
			}
		}
	}
	for i := range o.Tunnels {
		slices.SortFunc(o.Tunnels[i].Remote, func(a, b Remote) int {
			return cmp.Or(a.Address.Compare(b.Address), a.Host.Compare(b.Host))
		})
	}
	return o
}

func (in *Input) peer(h *Host) Peer {
	p := Peer{Node: h.Node, Address: in.pool().Host(h.Number), Key: h.Key}
	if h.Address.IsValid() {
		p.Endpoint = netip.AddrPortFrom(h.Address, h.port())
	}
	return p
}

func (h *Host) port() uint16 { return cmp.Or(h.Port, WireGuardPort) }

// ends are the addresses that frames for containers on other hosts go to; a host
// that they cannot reach has none.
func (in *Input) ends(self cluster.NodeID) map[cluster.NodeID]netip.Addr {
	out := make(map[cluster.NodeID]netip.Addr, len(in.Hosts))
	for i := range in.Hosts {
		h := &in.Hosts[i]
		if h.Node == self || h.Down {
			continue
		}
		if end := in.end(h); end.IsValid() {
			out[h.Node] = end
		}
	}
	return out
}

// end is where VXLAN packets of a host come from and go to; zero: it has no such
// end.
func (in *Input) end(h *Host) netip.Addr {
	switch {
	case h.Number == 0:
		return netip.Addr{}
	case !in.Encrypt:
		return h.Address
	case !h.encrypted():
		return netip.Addr{}
	}
	return in.pool().Host(h.Number)
}
