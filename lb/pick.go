package lb

import (
	"iter"
	"time"
)

// Policy names how the connections of a port are dealt out.
type Policy string

// RoundRobin deals connections to the usable backends in turn.
const RoundRobin Policy = "round-robin"

// first is the position, among n usable backends, that connection number turn
// is tried at first. Every n consecutive turns visit each position once.
func (p Policy) first(n int, turn uint64) int {
	return int(turn % uint64(n))
}

// Order yields every backend once, in the order in which connection number
// turn tries them: the usable ones from the policy's choice onwards, then those
// that failed lately, because trying them beats refusing the client.
func (f *Frontend) Order(turn uint64, h Health, now time.Time) iter.Seq[Backend] {
	return func(yield func(Backend) bool) {
		start := f.start(turn, h, now)
		for _, wanted := range []bool{true, false} {
			for i := range f.Backends {
				b := f.Backends[(start+i)%len(f.Backends)]
				if h.Usable(b, now) == wanted && !yield(b) {
					return
				}
			}
			if h.Empty() {
				return
			}
		}
	}
}

// start is the index of the first backend to try.
func (f *Frontend) start(turn uint64, h Health, now time.Time) int {
	n := len(f.Backends)
	if n == 0 {
		return 0
	}
	if h.Empty() {
		return f.Policy.first(n, turn)
	}
	var usable []int
	for i, b := range f.Backends {
		if h.Usable(b, now) {
			usable = append(usable, i)
		}
	}
	if len(usable) == 0 {
		return f.Policy.first(n, turn)
	}
	return usable[f.Policy.first(len(usable), turn)]
}
