package lb

import (
	"iter"
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
)

// Pick is what a connection brings to the choice of its backend.
type Pick struct {
	Turn     uint64         // number of the connection at its port
	Seed     uint64         // its chance
	Source   netip.Addr     // the client's
	Node     cluster.NodeID // which was asked
	Now      time.Time
	Health   Health
	Arrivals Arrivals
	// Open is how many connections a backend has through this node; nil: none.
	Open func(Backend) int
	// Elsewhere: the asked node's own tasks have had their share before, so that
	// this connection is for the others.
	Elsewhere bool
}

func (p Pick) open(b Backend) int {
	if p.Open == nil {
		return 0
	}
	return p.Open(b)
}

// Order yields every backend once, in the order in which a connection tries
// them: the usable ones from the policy's choice onwards, those of the asked
// node first (or last) where that is wanted, then those that failed lately, because trying
// them beats refusing the client.
func (f *Frontend) Order(p Pick) iter.Seq[Backend] {
	return func(yield func(Backend) bool) {
		for _, t := range f.tiers(p) {
			if t.n == 0 {
				continue
			}
			first := f.first(t, p)
			for i := range t.n {
				if !yield(f.Backends[t.place((first+i)%t.n)]) {
					return
				}
			}
		}
	}
}

// tier is backends among which the policy chooses, by their places in the
// frontend, in order; nil places are all.
type tier struct {
	places []int
	n      int
}

func (t tier) place(i int) int {
	if t.places == nil {
		return i
	}
	return t.places[i]
}

// index is where in the tier a place is, -1 where it is not.
func (t tier) index(place int) int {
	if t.places == nil {
		return place
	}
	i, ok := slices.BinarySearch(t.places, place)
	if !ok {
		return -1
	}
	return i
}

// tiers sorts the backends: the best come first. Most frontends have one tier
// most of the time, which costs nothing.
func (f *Frontend) tiers(p Pick) []tier {
	if p.Health.Empty() && !f.Balance.Local && !p.Elsewhere {
		return []tier{{n: len(f.Backends)}}
	}
	var first, then, failed []int
	for i, b := range f.Backends {
		switch {
		case !p.Health.Usable(b, p.Now):
			failed = append(failed, i)
		case f.prefers(b, p):
			first = append(first, i)
		default:
			then = append(then, i)
		}
	}
	return []tier{{first, len(first)}, {then, len(then)}, {failed, len(failed)}}
}

// prefers reports whether the backend comes before those of other nodes, or where
// the connection is for those, before the asked node's.
func (f *Frontend) prefers(b Backend, p Pick) bool {
	if !f.Balance.Local && !p.Elsewhere {
		return true
	}
	return b.Local(p.Node) != p.Elsewhere
}

// first is the policy's choice in a tier that is not empty. Every n consecutive
// turns of round-robin visit each of n backends once, unless one is slow to start.
func (f *Frontend) first(t tier, p Pick) int {
	if f.Balance.Policy == cluster.Maglev {
		return f.bySource(t, p)
	}
	s := f.shares(t, p)
	switch f.Balance.Policy {
	case cluster.LeastRequest:
		return f.leastOfTwo(t, s, p)
	case cluster.Random, cluster.Weighted:
		return s.draw(p.Seed)
	}
	if s.of != nil {
		return s.draw(p.Seed)
	}
	return int(p.Turn % uint64(t.n))
}

// leastOfTwo draws two different backends and takes the one with fewer open
// connections (Mitzenmacher, The Power of Two Choices, 2001).
func (f *Frontend) leastOfTwo(t tier, s shares, p Pick) int {
	a := s.draw(p.Seed)
	b := s.without(a).draw(mix(p.Seed))
	if b < 0 {
		return a
	}
	if p.open(f.Backends[t.place(b)]) < p.open(f.Backends[t.place(a)]) {
		return b
	}
	return a
}

// shares are what parts of the connections n backends get; nil: equal ones. The
// one left out gets none.
type shares struct {
	n    int
	of   []uint64
	left int // -1: nobody
}

func (s shares) at(i int) uint64 {
	switch {
	case i == s.left:
		return 0
	case s.of == nil:
		return 1
	}
	return s.of[i]
}

func (s shares) without(i int) shares {
	s.left = i
	return s
}

// draw takes one by chance, -1 where nobody has a share.
func (s shares) draw(seed uint64) int {
	if s.of == nil {
		return s.drawEqual(seed)
	}
	sum := uint64(0)
	for i := range s.n {
		sum += s.at(i)
	}
	at, _ := bits.Mul64(seed, sum) // seed / 2^64 of the sum
	for i := range s.n {
		if part := s.at(i); at < part {
			return i
		} else {
			at -= part
		}
	}
	return -1
}

func (s shares) drawEqual(seed uint64) int {
	n := s.n
	if s.left >= 0 {
		n--
	}
	if n == 0 {
		return -1
	}
	at, _ := bits.Mul64(seed, uint64(n))
	if s.left >= 0 && int(at) >= s.left {
		at++
	}
	return int(at)
}

// shares are those of a tier's backends: by the weights of their nodes, and by
// how long they have been there.
func (f *Frontend) shares(t tier, p Pick) shares {
	s := shares{n: t.n, left: -1}
	if f.Weights == nil && !f.warming(t, p) {
		return s
	}
	s.of = make([]uint64, t.n)
	for i := range t.n {
		place := t.place(i)
		s.of[i] = p.Arrivals.share(f, place, p.Now)
		if f.Weights != nil {
			s.of[i] *= uint64(f.Weights[place])
		}
	}
	return s
}

// warming reports whether a backend of the tier has less than its whole share.
func (f *Frontend) warming(t tier, p Pick) bool {
	if f.Balance.SlowStart == 0 {
		return false
	}
	for i := range t.n {
		if p.Arrivals.share(f, t.place(i), p.Now) < wholeShare {
			return true
		}
	}
	return false
}

// mix makes another number of one, of which each bit hangs on all of its bits
// (the finaliser of SplitMix64; Steele, Lea and Flood, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
