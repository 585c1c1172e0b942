package server

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// networked is the part of the replicated state that knows networks.
type networked interface {
	Network(id cluster.NetworkID) (*cluster.Network, bool)
}

// networksOf are the networks that the assignments are in, by ID. What a host has
// no use for and changes with every task is left out, so that it is no news.
func networksOf(v any, assignments []api.Assignment) (out []cluster.Network) {
	state, ok := v.(networked)
	if !ok {
		return nil
	}
	ids := map[cluster.NetworkID]bool{}
	for i := range assignments {
		for _, l := range assignments[i].Template.Networks {
			ids[l.Network] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if n, ok := state.Network(id); ok {
			bare := *n
			bare.Last = netip.Addr{}
			out = append(out, bare)
		}
	}
	return out
}
