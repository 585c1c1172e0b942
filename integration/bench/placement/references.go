package main

import (
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/musterhq/muster/placement/packing"
)

// policy chooses a node for each task of a sequence.
type policy interface {
	// choose names a node, negative if none fits.
	choose(f *fleet, d *vector) int
}

// observer is a policy that keeps count of the fleet.
type observer interface {
	// changed tells that so much was taken from node n.
	changed(f *fleet, n int, taken vector)
	// forget tells that a task ended.
	forget(d *vector)
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
	score func(f *fleet, n int, d *vector) float64
	rng   *rand.Rand
}

func (s scorer) choose(f *fleet, d *vector) int {
	best, least, equals := -1, math.Inf(1), 0
	for n := range f.rooms {
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
	return best
}

// sampler looks at log2(n) nodes that fit, drawn at random.
type sampler scorer

func (s sampler) choose(f *fleet, d *vector) int {
	best, least, left := -1, math.Inf(1), bits.Len(uint(len(f.rooms)))-1
	for _, n := range s.rng.Perm(len(f.rooms)) {
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
	return best
}

// used is what shares of CPU and of memory node n would hold with the task.
func used(f *fleet, n int, d *vector) (c, m float64) {
	share := func(k int) float64 { return 1 - float64(f.rooms[n].Free[k]-d[k])/float64(f.total[n][k]) }
	return share(cpu), share(memory)
}

// leastAllocated is Kubernetes' default: NodeResourcesFit and
// NodeResourcesBalancedAllocation with equal weights.
func leastAllocated(f *fleet, n int, d *vector) float64 {
	c, m := used(f, n, d)
	return (c+m)/2 + math.Abs(c-m)/2
}

// mostAllocated is Kubernetes' other strategy, for full nodes.
func mostAllocated(f *fleet, n int, d *vector) float64 {
	c, m := used(f, n, d)
	return -(c+m)/2 + math.Abs(c-m)/2
}

// nomadBinpack is Nomad's ScoreFitBinPack, after Google's BestFit v3.
func nomadBinpack(f *fleet, n int, d *vector) float64 {
	c, m := used(f, n, d)
	return math.Pow(10, 1-c) + math.Pow(10, 1-m)
}

// fewestTasks is Swarm's spread.
func fewestTasks(f *fleet, n int, _ *vector) float64 { return float64(f.tasks[n]) }

func anyNode(*fleet, int, *vector) float64 { return 0 }

// gradient is the fragmentation gradient (FGD, ATC'23), which learns the mix from
// the tasks seen; among equals Nomad's score decides.
type gradient struct {
	seen   []vector
	times  []float64 // that each was seen
	index  map[vector]int
	tasks  float64
	asked  [packing.Kinds]float64
	kind   int       // of resource that is scarce
	wastes []float64 // by node; NaN is unknown
	known  float64   // tasks seen when all wastes were last forgotten
}

func (g *gradient) choose(f *fleet, d *vector) int {
	g.learn(f, d)
	best, least, tie := -1, math.Inf(1), 0.0
	var scratch []int64
	for n := range f.rooms {
		if !f.fits(n, d) {
			continue
		}
		scratch = append(scratch[:0], f.rooms[n].GPUs...)
		after := packing.Room{Free: f.rooms[n].Free, GPUs: scratch}
		after.Give(d)
		price, then := g.waste(&after)-g.before(f, n), nomadBinpack(f, n, d)
		if price < least || price == least && then < tie {
			best, least, tie = n, price, then
		}
	}
	return best
}

// learn counts the task, and forgets what is known of the nodes when a tenth has
// come to the mix.
func (g *gradient) learn(f *fleet, d *vector) {
	i, seen := g.index[*d]
	if !seen {
		if g.index == nil {
			g.index = make(map[vector]int)
		}
		i = len(g.seen)
		g.index[*d], g.seen, g.times = i, append(g.seen, *d), append(g.times, 0)
	}
	g.times[i]++
	for k, amount := range d {
		g.asked[k] += float64(amount)
	}
	if g.tasks++; g.tasks > g.known*1.1 {
		g.known, g.wastes = g.tasks, g.wastes[:0]
		g.rank(f)
	}
}

// rank finds the scarce kind: that of which tasks ask for the largest share.
func (g *gradient) rank(f *fleet) {
	most := 0.0
	for k, amount := range g.asked {
		total := 0.0
		for n := range f.total {
			total += float64(f.total[n][k])
		}
		if total > 0 && amount/total > most {
			most, g.kind = amount/total, k
		}
	}
}

// before is the waste on node n.
func (g *gradient) before(f *fleet, n int) float64 {
	for len(g.wastes) < len(f.rooms) {
		g.wastes = append(g.wastes, math.NaN())
	}
	if math.IsNaN(g.wastes[n]) {
		g.wastes[n] = g.waste(&f.rooms[n])
	}
	return g.wastes[n]
}

// waste is how much of the scarce kind the next task is expected to find useless.
func (g *gradient) waste(r *packing.Room) float64 {
	sum := 0.0
	for i := range g.seen {
		if d := &g.seen[i]; d[g.kind] > 0 {
			sum += g.times[i] * float64(useless(r, d, g.kind))
		}
	}
	return sum / g.tasks
}

func (g *gradient) changed(_ *fleet, n int, _ vector) {
	if n < len(g.wastes) {
		g.wastes[n] = math.NaN()
	}
}

func (g *gradient) forget(*vector) {}

// useless is how much of a kind the task cannot use.
func useless(r *packing.Room, d *vector, kind int) int64 {
	switch {
	case kind == gpu:
		return r.UselessGPUs(d)
	case r.Slots(d) == 0:
		return r.Free[kind]
	default:
		return 0
	}
}
