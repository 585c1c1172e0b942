package main

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// policy chooses a node for each task of a sequence.
type policy interface {
	// choose names a node and, if it matters, a device (else -1); no node
	// fits if it is negative.
	choose(f *fleet, d *demand) (node, device int)
}

// scorer is a policy that takes the lowest score; among equals chance decides,
// or the first if there is none.
type scorer struct {
	score func(f *fleet, n int, d *demand) float64
	rng   *rand.Rand
}

func (s scorer) choose(f *fleet, d *demand) (int, int) {
	best, least, equals := -1, math.Inf(1), 0
	for n := range f.free {
		if !f.fits(n, d) {
			continue
		}
		score := s.score(f, n, d)
		switch {
		case score < least:
			best, least, equals = n, score, 1
		case score == least && s.rng != nil:
			if equals++; s.rng.IntN(equals) == 0 {
				best = n
			}
		}
	}
	return best, -1
}

// sampler looks at log2(n) nodes that fit, drawn at random.
type sampler scorer

func (s sampler) choose(f *fleet, d *demand) (int, int) {
	best, least, left := -1, math.Inf(1), bits.Len(uint(len(f.free)))-1
	order := s.rng.Perm(len(f.free))
	for _, n := range order {
		if !f.fits(n, d) {
			continue
		}
		if score := s.score(f, n, d); score < least {
			best, least = n, score
		}
		if left--; left == 0 {
			break
		}
	}
	return best, -1
}

// used is what share of CPU and of memory node n would hold with the task.
func used(f *fleet, n int, d *demand) (c, m float64) {
	free, total := &f.free[n], &f.total[n]
	return 1 - (free[cpu]-d.need[cpu])/total[cpu], 1 - (free[memory]-d.need[memory])/total[memory]
}

// Kubernetes: NodeResourcesFit and NodeResourcesBalancedAllocation, equal weights.
func leastAllocated(f *fleet, n int, d *demand) float64 {
	c, m := used(f, n, d)
	return (c+m)/2 + math.Abs(c-m)/2
}

func mostAllocated(f *fleet, n int, d *demand) float64 {
	c, m := used(f, n, d)
	return -(c+m)/2 + math.Abs(c-m)/2
}

// Nomad: BestFit v3.
func nomadBinpack(f *fleet, n int, d *demand) float64 {
	c, m := used(f, n, d)
	return math.Pow(10, 1-c) + math.Pow(10, 1-m)
}

func fewestTasks(f *fleet, n int, _ *demand) float64 { return float64(f.tasks[n]) }

func anyNode(*fleet, int, *demand) float64 { return 0 }
