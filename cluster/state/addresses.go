package state

import (
	"net/netip"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// run is a run of addresses that are held, all of one network, or of the services'
// own with "" for the network. Runs neither touch nor overlap: the end of one is a
// free address, so that the next free one is found without a walk.
type run struct {
	network     cluster.NetworkID
	first, last netip.Addr
}

// givenLast are the addresses that were given last of those that no network keeps
// it of.
type givenLast struct {
	Service netip.Addr `cbor:"1,keyasint,omitzero"`
}

func runKey(network cluster.NetworkID, a netip.Addr) string {
	b := a.As4()
	return string(network) + "\x00" + string(b[:])
}

// runOf is the run that a held address is in.
func (tx *tx) runOf(network cluster.NetworkID, a netip.Addr) (*run, bool) {
	r, ok := tx.held.floor(runKey(network, a))
	if !ok || r.network != network || r.last.Less(a) {
		return nil, false
	}
	return r, true
}

// occupied reports whether any address of the network is held.
func (tx *tx) occupied(network cluster.NetworkID) bool {
	r, ok := tx.held.floor(runKey(network, netip.AddrFrom4([4]byte{255, 255, 255, 255})))
	return ok && r.network == network
}

func (tx *tx) hold(network cluster.NetworkID, a netip.Addr) {
	if _, held := tx.runOf(network, a); held {
		return
	}
	r := run{network, a, a}
	if before, ok := tx.runOf(network, a.Prev()); ok {
		r.first = before.first
	}
	if after, ok := tx.held.get(runKey(network, a.Next())); ok {
		r.last = after.last
		tx.held.del(runKey(network, after.first))
	}
	tx.held.put(runKey(network, r.first), &r)
}

func (tx *tx) release(network cluster.NetworkID, a netip.Addr) {
	r, held := tx.runOf(network, a)
	if !held {
		return
	}
	tx.held.del(runKey(network, r.first))
	if r.first.Less(a) {
		tx.held.put(runKey(network, r.first), &run{network, r.first, a.Prev()})
	}
	if a.Less(r.last) {
		tx.held.put(runKey(network, a.Next()), &run{network, a.Next(), r.last})
	}
}

// nextFree is the first free address from first to end, end excluded, that comes
// behind the one that was given last, around: each rests for as long as others are
// to be had.
func (tx *tx) nextFree(network cluster.NetworkID, first, end, given netip.Addr) (a netip.Addr, ok bool) {
	from := given.Next()
	if from.Less(first) || !from.Less(end) { // also where none was given
		from = first
	}
	for _, a := range []netip.Addr{from, first} {
		if r, held := tx.runOf(network, a); held {
			a = r.last.Next()
		}
		if a.Less(end) {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// holdTask takes in that a task has other addresses than before; either may be nil.
func (tx *tx) holdTask(old, t *cluster.Task) {
	if old != nil && t != nil && slices.Equal(old.Addresses, t.Addresses) {
		return
	}
	if old != nil {
		for _, a := range old.Addresses {
			tx.release(a.Network, a.Address)
		}
	}
	if t != nil {
		for _, a := range t.Addresses {
			tx.hold(a.Network, a.Address)
		}
	}
}

// holdService is holdTask of a service's own address.
func (tx *tx) holdService(old, s *cluster.Service) {
	if old != nil && s != nil && old.Address == s.Address {
		return
	}
	if old != nil && old.Address.Is4() {
		tx.release("", old.Address)
	}
	if s != nil && s.Address.Is4() {
		tx.hold("", s.Address)
	}
}
