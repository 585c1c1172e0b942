package network

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// HostInterface is where encrypted packets of other hosts come out.
const HostInterface = "muster0"

// RulesOf makes what a host's packet filter does for the networks. Published ports
// are not among it: which tasks answer them is not told from the networks.
func RulesOf(in Input, self cluster.NodeID) Rules {
	me := in.host(self)
	if me == nil || me.Number == 0 || !in.Pool.IsValid() {
		return Rules{}
	}
	var r Rules
	if in.Encrypt {
		r.VXLANFrom = HostInterface
	}
	for i := range in.Hosts {
		h := &in.Hosts[i]
		if end := in.end(h); h.Node != self && end.IsValid() {
			r.Peers = append(r.Peers, end)
		}
	}
	slices.SortFunc(r.Peers, netip.Addr.Compare)
	r.Services = in.virtualServices(self)
	r.Virtual = in.pool().Services()
	r.Ranges = in.ranges()
	local, _ := in.local(self)
	for _, n := range local {
		r.Bridges = append(r.Bridges, Bridge{Name: n.Bridge(), Gateway: n.Gateway()})
	}
	slices.SortFunc(r.Bridges, func(a, b Bridge) int { return cmp.Compare(a.Name, b.Name) })
	return r
}

// ranges hold every address that is ours: the pool, and the subnets outside it.
func (in *Input) ranges() []netip.Prefix {
	out := []netip.Prefix{in.Pool}
	for i := range in.Networks {
		if s := in.Networks[i].Subnet; !in.Pool.Contains(s.Addr()) {
			out = append(out, s)
		}
	}
	return out
}

// virtualServices are those that containers of this host can see, by network, then
// by address.
func (in *Input) virtualServices(self cluster.NodeID) []VirtualService {
	type place struct {
		service cluster.ServiceID
		network cluster.NetworkID
	}
	local, at := in.local(self)
	ready := map[place][]netip.Addr{}
	for i := range in.Tasks {
		t := &in.Tasks[i]
		if !t.Ready {
			continue
		}
		for _, a := range t.Addresses {
			if _, here := at[a.Network]; here {
				p := place{t.Service, a.Network}
				ready[p] = append(ready[p], a.Address)
			}
		}
	}
	of := make([][]VirtualService, len(local))
	for i := range in.Services {
		s := &in.Services[i]
		if !s.Address.IsValid() {
			continue
		}
		for _, l := range s.Links {
			j, here := at[l.Network]
			if !here {
				continue
			}
			tasks := ready[place{s.ID, l.Network}]
			slices.SortFunc(tasks, netip.Addr.Compare)
			of[j] = append(of[j], VirtualService{Bridge: local[j].Bridge(), Address: s.Address, Tasks: tasks})
		}
	}
	for _, services := range of {
		slices.SortFunc(services, func(a, b VirtualService) int { return a.Address.Compare(b.Address) })
	}
	return slices.Concat(of...)
}
