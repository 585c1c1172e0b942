package packing

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"sort"
)

const (
	// mostWeighed is for how many classes waste is counted where GPUs are scarce,
	// the most frequent ones, as each has a look at every GPU of a node.
	mostWeighed = 32
	// mostShort is how many classes room is kept for, the largest ones.
	mostShort = 16
	// deviations is how many standard deviations above the expected number of a
	// class's tasks are kept room for.
	deviations = 5
	// grown is by how much the tasks that are known have to grow for prices to be
	// made anew, and fallen by how much what is free of the scarce kind has to fall:
	// classes run short quickly once little is left.
	grown, fallen = 1.1, 1.02
	// few is how many tasks more it takes, so that a plan for a fleet without tasks
	// does not begin anew with each of its first ones.
	few = 32
)

// Fleet is what there is for the tasks.
type Fleet struct {
	Total, Free, Largest Vector          // of all nodes, and of the largest one
	Rooms                iter.Seq[*Room] // of all nodes
}

// Prices are what room costs, for the mix and the fleet as they were at one time.
type Prices struct {
	tasks   float64        // that the mix knew
	free    int64          // of the scarce kind
	scarce  int            // the kind of resource that runs out first
	other   int            // CPU, or memory where CPU is scarce
	asked   []int          // the kinds that are asked for
	mean    [Kinds]float64 // that a task asks for
	perMean [Kinds]float64 // one by that
	// perLargest is ofLargest by what the largest node has of the scarce kind.
	perLargest float64

	// classes are those that ask for the scarce kind, by how much, with their
	// shares of all tasks. Of the first i, most[i] is the most that any asks for,
	// and share[i] is that of all others together.
	classes []class
	most    []Vector
	share   []float64
	short   []Vector // what classes ask for that may find too few slots
}

// Prices makes them.
func (m *Mix) Prices(f *Fleet) *Prices {
	p := &Prices{tasks: m.tasks}
	used := 0.0
	for k, amount := range m.asked {
		if amount <= 0 {
			continue
		}
		p.asked, p.mean[k], p.perMean[k] = append(p.asked, k), amount/m.staying, m.staying/amount
		if total := float64(f.Total[k]); total > 0 && amount/total > used {
			used, p.scarce = amount/total, k
		}
	}
	if p.scarce == CPU {
		p.other = Memory
	}
	if len(p.asked) == 0 {
		p.asked, p.mean[p.scarce], p.perMean[p.scarce] = append(p.asked, p.scarce), 1, 1
	}
	p.free, p.perLargest = f.Free[p.scarce], ofLargest/float64(max(f.Largest[p.scarce], 1))
	p.weigh(m)
	p.foresee(m, f)
	return p
}

// weigh prepares the classes that waste is counted for.
func (p *Prices) weigh(m *Mix) {
	for _, c := range m.classes {
		if c.need[p.scarce] > 0 {
			p.classes = append(p.classes, class{c.need, c.tasks / m.tasks})
		}
	}
	if p.scarce == GPU && len(p.classes) > mostWeighed {
		slices.SortStableFunc(p.classes, func(a, b class) int { return cmp.Compare(b.tasks, a.tasks) })
		p.classes = p.classes[:mostWeighed]
	}
	slices.SortStableFunc(p.classes, func(a, b class) int { return cmp.Compare(a.need[p.scarce], b.need[p.scarce]) })
	n := len(p.classes)
	p.most, p.share = make([]Vector, n+1), make([]float64, n+1)
	for i, c := range p.classes {
		for k, amount := range c.need {
			p.most[i+1][k] = max(p.most[i][k], amount)
		}
	}
	for i := n - 1; i >= 0; i-- {
		p.share[i] = p.share[i+1] + p.classes[i].tasks
	}
}

// foresee finds the classes that may find too few slots before what is free of
// the scarce kind is used up, if tasks go on to arrive in the same proportions.
func (p *Prices) foresee(m *Mix, f *Fleet) {
	more := float64(max(p.free, 0)) / p.mean[p.scarce]
	all := make([]supply, len(m.classes))
	for i, c := range m.classes {
		expected := c.tasks / m.tasks * more
		all[i] = supply{need: c.need, enough: int(expected + deviations*math.Sqrt(expected) + 1)}
	}
	for _, s := range scarce(all, f.Rooms) {
		if s.slots > 0 {
			p.short = append(p.short, s.need)
		}
	}
	slices.SortStableFunc(p.short, func(a, b Vector) int { return cmp.Compare(b[p.scarce], a[p.scarce]) })
	p.short = p.short[:min(len(p.short), mostShort)]
}

// supply is how many slots there are for a class, as far as they are counted.
type supply struct {
	need          Vector
	slots, enough int
}

// scarce are the classes with not more slots than enough. Rooms that are too small
// for all are passed over, and classes are no longer counted once they have enough.
func scarce(all []supply, rooms iter.Seq[*Room]) []supply {
	if len(all) == 0 {
		return nil
	}
	least := all[0].need
	for i := range all {
		for k, amount := range all[i].need {
			least[k] = min(least[k], amount)
		}
	}
	for r := range rooms {
		if !least.within(&r.Free) {
			continue
		}
		left := all[:0]
		for _, s := range all {
			if s.slots += r.Slots(&s.need); s.slots <= s.enough {
				left = append(left, s)
			}
		}
		if all = left; len(all) == 0 {
			break
		}
	}
	return all
}

// Old reports whether so much has changed that prices should be made anew; free
// is that of all nodes.
func (p *Prices) Old(m *Mix, free *Vector) bool {
	return m.tasks > p.tasks*grown+few || float64(free[p.scarce])*fallen < float64(p.free)
}

// Rest is what is known of a node's room whatever the task.
type Rest struct {
	// waste is how much of the scarce kind the next task is expected to find
	// useless, and falling the share of tasks for which that is something: a task
	// that takes an amount makes the waste smaller by at most this share of it.
	waste, falling float64
}

// Rest looks at a room.
func (p *Prices) Rest(r *Room) Rest {
	if p.scarce == GPU {
		return p.restOfGPUs(r)
	}
	fit := sort.Search(len(p.classes), func(i int) bool { return p.classes[i].need[p.scarce] > r.Free[p.scarce] })
	unfit := p.share[fit]
	if !p.most[fit].within(&r.Free) {
		for i := range p.classes[:fit] {
			if c := &p.classes[i]; !c.need.within(&r.Free) {
				unfit += c.tasks
			}
		}
	}
	return Rest{waste: unfit * float64(max(r.Free[p.scarce], 0)), falling: unfit}
}

func (p *Prices) restOfGPUs(r *Room) (out Rest) {
	if r.Free[GPU] == 0 {
		return out
	}
	for i := range p.classes {
		c := &p.classes[i]
		if useless := r.UselessGPUs(&c.need); useless > 0 {
			out.waste += c.tasks * float64(useless)
			out.falling += c.tasks
		}
	}
	return out
}
