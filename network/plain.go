package network

import (
	"fmt"
	"net/netip"

	"github.com/musterhq/muster/cluster"
)

// Plain says for people which traffic of a host's published ports goes to others in
// the clear although the cluster encrypts; that between containers never does.
// Hosts that are down get no traffic.
func Plain(in Input, self cluster.NodeID) []string {
	me := in.host(self)
	if !in.Encrypt || me == nil {
		return nil
	}
	var out []string
	for i := range in.Hosts {
		h := &in.Hosts[i]
		switch {
		case h.Node == self || h.Down:
		case !me.encrypted():
			return []string{"traffic to other nodes' published ports is not encrypted: this node has told no network key; " +
				"it does when all voters run this version"}
		case !h.encrypted():
			out = append(out, fmt.Sprintf("traffic to %s is not encrypted: it has told no network key; upgrade its agent", h.Name))
		}
	}
	return out
}

// Through maps every other host that a host reaches with encryption to its address
// among hosts.
func (in Input) Through(self cluster.NodeID) map[cluster.NodeID]netip.Addr {
	me := in.host(self)
	if !in.Encrypt || me == nil || !me.encrypted() || !in.Pool.IsValid() {
		return nil
	}
	out := make(map[cluster.NodeID]netip.Addr, len(in.Hosts))
	for i := range in.Hosts {
		if h := &in.Hosts[i]; h.Node != self && h.encrypted() {
			out[h.Node] = in.pool().Host(h.Number)
		}
	}
	return out
}
