package lb

import (
	"hash/fnv"
	"net/netip"
)

// lookupSize is the number of entries of a lookup table: a prime, so that every
// permutation visits all entries, and at least a hundred times the backends that
// a service is likely to have, so that their shares differ by a hundredth.
const lookupSize = 16_381

// lookupTable deals the entries out to the backends, by their places: evenly, and
// so that few entries of the others change when one comes or goes (Eisenbud et
// al., Maglev, NSDI 2016, section 3.4).
func lookupTable(backends []Backend) []uint16 {
	const free = ^uint16(0)
	backends = backends[:min(len(backends), lookupSize)]
	if len(backends) == 0 {
		return nil
	}
	entries := make([]uint16, lookupSize)
	for i := range entries {
		entries[i] = free
	}
	walks := make([]walk, len(backends))
	for i, b := range backends {
		walks[i] = walkOf(b)
	}
	for filled := 0; ; {
		for i := range walks {
			at := walks[i].next()
			for entries[at] != free {
				at = walks[i].next()
			}
			entries[at] = uint16(i)
			if filled++; filled == lookupSize {
				return entries
			}
		}
	}
}

// walk is a backend's permutation of the entries.
type walk struct{ at, step uint64 }

// walkOf hangs on the task alone, so that every node has the same table.
func walkOf(b Backend) walk {
	h := hash([]byte(b.Task))
	return walk{at: h % lookupSize, step: mix(h)%(lookupSize-1) + 1}
}

func (w *walk) next() uint64 {
	at := w.at
	w.at = (w.at + w.step) % lookupSize
	return at
}

// bySource is the backend of the client's entry, or of the next one whose backend
// is in the tier; one that is slow to start has that part of the clients already
// which its share is.
func (f *Frontend) bySource(t tier, p Pick) int {
	h := hashOf(p.Source)
	found := -1
	for i := range uint64(len(f.lookup)) {
		place := int(f.lookup[(h+i)%lookupSize])
		at := t.index(place)
		if at < 0 {
			continue
		}
		if found < 0 {
			found = at
		}
		if mix(h^hash([]byte(f.Backends[place].Task)))%wholeShare < p.Arrivals.share(f, place, p.Now) {
			return at
		}
	}
	return max(found, 0)
}

func hashOf(a netip.Addr) uint64 {
	b := a.Unmap().As16()
	return hash(b[:])
}

func hash(b []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(b) // a hash never fails
	return mix(h.Sum64())
}
