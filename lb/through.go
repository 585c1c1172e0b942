package lb

import (
	"net/netip"

	"github.com/musterhq/muster/cluster"
)

// Through is the input as one node uses it: while traffic is encrypted, tasks on
// other nodes are reached at their hosts' addresses among hosts, where both ends have
// a key. The others stay as they are; network.Plain names them.
func (in Input) Through(self cluster.NodeID) Input {
	ends := in.Network.Through(self)
	if len(ends) == 0 {
		return in
	}
	endpoints := make([]Endpoint, len(in.Endpoints))
	for i, e := range in.Endpoints {
		if end, ok := ends[e.Node]; ok && e.Address.IsValid() {
			e.Address = netip.AddrPortFrom(end, e.Address.Port())
		}
		endpoints[i] = e
	}
	in.Endpoints = endpoints
	return in
}
