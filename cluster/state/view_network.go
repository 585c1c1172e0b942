package state

import (
	"iter"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// Unaddressed says why no task of the service's generation can get its addresses,
// whatever node it is placed on, or "".
func (v View) Unaddressed(id cluster.ServiceID, generation uint64) string {
	_, why := begin(v, v.index, v.now).addresses(id, generation)
	return why
}

// AddressesHeld is how many tasks have an address in the network.
func (v View) AddressesHeld(id cluster.NetworkID) int {
	held := 0
	for r := range v.held.all(string(id) + "\x00") {
		first, last := r.first.As4(), r.last.As4()
		held += int(number4(last)-number4(first)) + 1
	}
	return held
}

// Networks yields all networks by ID.
func (v View) Networks() iter.Seq[*cluster.Network] { return v.networks.all("") }

// Network returns a network by ID.
func (v View) Network(id cluster.NetworkID) (*cluster.Network, bool) {
	return v.networks.get(string(id))
}

// NetworkUsers are the services that have a kept generation in the network, by ID.
func (v View) NetworkUsers(id cluster.NetworkID) []cluster.ServiceID {
	var out []cluster.ServiceID
	for s := range v.Services() {
		if inNetwork(s, id) {
			out = append(out, s.ID)
		}
	}
	return out
}

// inNetwork reports whether a generation of the service that is kept, and that it
// may come back to, is in the network.
func inNetwork(s *cluster.Service, id cluster.NetworkID) bool {
	if links(&s.Spec.Template, id) {
		return true
	}
	return slices.ContainsFunc(s.History, func(g cluster.Generation) bool { return links(&g.Template, id) })
}

func links(t *cluster.Template, id cluster.NetworkID) bool {
	return slices.ContainsFunc(t.Networks, func(l cluster.NetworkLink) bool { return l.Network == id })
}
