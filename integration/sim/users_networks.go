package sim

import (
	"slices"
	"strings"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// sharedNetwork is the name of the networks that other stacks may join.
const sharedNetwork = "hub"

// links are a random service's networks: its stack's default one, mostly; at times
// another, one that others may be in, or one of another stack, there or not.
func (u *users) links(stack string) []cluster.NetworkLink {
	w := u.w
	var names []cluster.NetworkID
	if w.chance(0.85) {
		names = append(names, cluster.NewNetworkID(stack, cluster.DefaultNetwork))
	}
	if w.chance(0.2) {
		names = append(names, cluster.NewNetworkID(stack, "back"))
	}
	if w.chance(0.1) {
		names = append(names, cluster.NewNetworkID(stack, sharedNetwork))
	}
	if w.chance(0.08) {
		if id := cluster.NewNetworkID(pick(w, stackNames), sharedNetwork); !slices.Contains(names, id) {
			names = append(names, id)
		}
	}
	var out []cluster.NetworkLink
	for _, id := range names {
		out = append(out, cluster.NetworkLink{Network: id})
	}
	return out
}

// declared are the stack's own networks that its services are in, by name.
func declared(stack string, services []state.NamedSpec) []cluster.NetworkSpec {
	var out []cluster.NetworkSpec
	for _, s := range services {
		for _, l := range s.Spec.Template.Networks {
			n := cluster.NetworkSpec{Name: l.Network.Name(), Shared: l.Network.Name() == sharedNetwork}
			if l.Network.Stack() == stack && !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	slices.SortFunc(out, func(a, b cluster.NetworkSpec) int { return strings.Compare(a.Name, b.Name) })
	return out
}
