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

func links(t *cluster.Template, id cluster.NetworkID) bool {
	return slices.ContainsFunc(t.Networks, func(l cluster.NetworkLink) bool { return l.Network == id })
}
