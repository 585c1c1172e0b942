package main

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// policy chooses a node for each task of a sequence.
type policy interface {
	// choose names a node, negative if none fits, and the device that gives
	// the task its share, negative if any with the least that is enough.
	choose(f *fleet, d *demand) (node, device int)
}

// observer is a policy that keeps count of the fleet.
type observer interface {
	// changed tells that so much was taken from node n.
	changed(f *fleet, n int, taken vector)
	// forget tells that a task ended.
	forget(d *demand)
}

// named is a policy that can be made anew for each run.
type named struct {
	name string
	make func(*rand.Rand) policy
}

// references are the policies of Muster's neighbours, as their sources describe
// them.
var references = []named{
	{"k8s least allocated", func(r *rand.Rand) policy { return scorer{leastAllocated, r} }},
	{"k8s most allocated", func(r *rand.Rand) policy { return scorer{mostAllocated, r} }},
	{"swarm spread", func(r *rand.Rand) policy { return scorer{fewestTasks, r} }},
	{"nomad binpack", func(*rand.Rand) policy { return scorer{nomadBinpack, nil} }},
	{"nomad binpack log2", func(r *rand.Rand) policy { return sampler{nomadBinpack, r} }},
	{"first fit", func(*rand.Rand) policy { return scorer{anyNode, nil} }},
	{"random", func(r *rand.Rand) policy { return scorer{anyNode, r} }},
	{"fgd binpack", func(*rand.Rand) policy { return &gradient{} }},
}

var ours = named{"hybrid", func(*rand.Rand) policy { return &hybrid{} }}

// scorer is a policy that takes the lowest score; among equals chance decides, or
// the first if there is none.
type scorer struct {
	score func(f *fleet, n int, d *demand) float64
	rng   *rand.Rand
}

func (s scorer) choose(f *fleet, d *demand) (node, device int) {
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

func (s sampler) choose(f *fleet, d *demand) (node, device int) {
	best, least, left := -1, math.Inf(1), bits.Len(uint(len(f.free)))-1
	for _, n := range s.rng.Perm(len(f.free)) {
		if !f.fits(n, d) {
			continue
		}
		if score := s.score(f, n, d); score < least {
			best, least = n, score
		}
		if left--; left <= 0 {
			break
		}
	}
	return best, -1
}

// used is what shares of CPU and of memory node n would hold with the task.
func used(f *fleet, n int, d *demand) (c, m float64) {
	free, total := &f.free[n], &f.total[n]
	return 1 - (free[cpu]-d.need[cpu])/total[cpu], 1 - (free[memory]-d.need[memory])/total[memory]
}

// leastAllocated is Kubernetes' default: NodeResourcesFit and
// NodeResourcesBalancedAllocation with equal weights.
func leastAllocated(f *fleet, n int, d *demand) float64 {
	c, m := used(f, n, d)
	return (c+m)/2 + math.Abs(c-m)/2
}

// mostAllocated is Kubernetes' other strategy, for full nodes.
func mostAllocated(f *fleet, n int, d *demand) float64 {
	c, m := used(f, n, d)
	return -(c+m)/2 + math.Abs(c-m)/2
}

// nomadBinpack is Nomad's ScoreFitBinPack, after Google's BestFit v3.
func nomadBinpack(f *fleet, n int, d *demand) float64 {
	c, m := used(f, n, d)
	return math.Pow(10, 1-c) + math.Pow(10, 1-m)
}

// fewestTasks is Swarm's spread.
func fewestTasks(f *fleet, n int, _ *demand) float64 { return float64(f.tasks[n]) }

func anyNode(*fleet, int, *demand) float64 { return 0 }

// gradient is the fragmentation gradient (FGD, ATC'23), which learns the mix as
// hybrid does; among equals Nomad's score decides.
type gradient struct{ hybrid }

func (g *gradient) choose(f *fleet, d *demand) (int, int) {
	g.learn(f, d)
	best := noChoice()
	var scratch []float64
	for n := range f.free {
		if !f.fits(n, d) {
			continue
		}
		offer := choice{node: n, free: nomadBinpack(f, n, d)}
		for _, offer.device = range options(f.devices[n], d) {
			scratch = append(scratch[:0], f.devices[n]...)
			after := room{free: f.free[n], devices: scratch}
			after.give(d, offer.device)
			offer.price = (g.waste(&after) - g.wasteOf(f, n)) / device
			best.offer(offer)
		}
	}
	return best.node, best.device
}
