package server

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// networked is what networksOf reads of the replicated state; state.View has it.
type networked interface {
	Network(id cluster.NetworkID) (*cluster.Network, bool)
}

// networksOf are the networks that the assignments are in, by ID. What a host has
// no use for and changes with every task is left out, so that it is no news.
func networksOf(v networked, assignments []api.Assignment) (out []cluster.Network) {
	ids := map[cluster.NetworkID]bool{}
	for i := range assignments {
		for _, l := range assignments[i].Template.Networks {
			ids[l.Network] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if n, ok := v.Network(id); ok {
			bare := *n
			bare.Last = netip.Addr{}
			out = append(out, bare)
		}
	}
	return out
}
