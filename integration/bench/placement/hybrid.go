package main

import (
	"math"
	"slices"
)

// The weights of hybrid's terms; all terms are shares, so that they hold for any
// unit and size.
const (
	// tightness weighs what stays free, as a share of the node and as a share
	// of the largest node, against the room that becomes useless.
	tightness0 = 1.0 / 16
	// keep weighs a slot that is taken from a kind of task whose slots run
	// short: more than everything else together.
	keep = 1.0
	// deviations is how many standard deviations above the expected number of
	// a kind's tasks are kept room for.
	deviations0 = 3
)

// room is what is free on a node.
type room struct {
	free    vector
	devices []float64 // of each, thousandths
}

// slots is how many tasks like d the room takes.
func (r *room) slots(d *demand) int {
	n := math.MaxInt32
	for k, amount := range d.need {
		if amount > 0 {
			n = min(n, int(r.free[k]/amount))
		}
	}
	if d.devices == 0 || n == 0 {
		return n
	}
	shares := 0
	for _, has := range r.devices {
		shares += int(has / d.share)
	}
	return min(n, shares/d.devices)
}

// useless is how much of one kind of resource a task like d could not use: all
// of it where the task does not fit, else the devices that are too small.
func (r *room) useless(d *demand, kind int) float64 {
	if d.need[cpu] > r.free[cpu] || d.need[memory] > r.free[memory] || d.need[gpu] > r.free[gpu] {
		return r.free[kind]
	}
	if d.devices == 0 {
		return 0
	}
	fit, rest := 0, 0.0
	for _, has := range r.devices {
		if has >= d.share {
			fit++
		} else {
			rest += has
		}
	}
	switch {
	case fit < d.devices:
		return r.free[kind]
	case kind == gpu:
		return rest
	default:
		return 0
	}
}

// waste is how much of one kind of resource the next task is expected to find
// useless (Weng et al., "Beware of Fragmentation", ATC'23).
func (m *demands) waste(r *room) float64 {
	sum := 0.0
	for i := range m.classes {
		c := &m.classes[i]
		if c.tasks > 0 && c.need[m.scarce] > 0 {
			u := r.useless(&c.demand, m.scarce)
			if imb == 1 {
				u = max(u, r.imbalance(&c.need, m.scarce))
			}
			sum += c.tasks * u
		}
	}
	sum /= m.tasks
	if imb == 2 {
		sum = max(sum, r.imbalance(&m.asked, m.scarce))
	}
	if imb == 3 {
		sum += r.imbalance(&m.asked, m.scarce)
	}
	return sum
}

func (r *room) imbalance(mix *vector, kind int) float64 {
	tasks := math.Inf(1)
	for k, amount := range mix {
		if amount > 0 {
			tasks = min(tasks, r.free[k]/amount)
		}
	}
	return r.free[kind] - tasks*mix[kind]
}

var imb = 0

// demands is a summary of the tasks seen so far.
type demands struct {
	classes []kindOfTask
	tasks   float64 // seen
	ended   float64 // of them
	asked   vector  // by all of them
	scarce  int     // the kind of resource that runs out first
}

// kindOfTask is tasks that ask for the same.
type kindOfTask struct {
	demand
	tasks float64 // seen
	slots int     // for more of them, on all nodes
	short bool    // there may be too few slots
}

// lasting is the share of tasks that stay: what is made to measure for the next
// task pays only until somebody leaves.
func (m *demands) lasting() float64 { return 1 - m.ended/m.tasks }

// price is how good node room r is for d, less is better.
func (m *demands) price(before, after *room, wasteBefore float64, total *vector, largest float64, d *demand) float64 {
	k := m.scarce
	unit := d.need[k]
	if unit == 0 {
		unit = m.asked[k] / m.tasks
	}
	lost := (m.waste(after) - wasteBefore) / unit
	for i := range m.classes {
		if c := &m.classes[i]; c.short {
			lost += keep * float64(before.slots(&c.demand)-after.slots(&c.demand))
		}
	}
	share := 0.0
	if total[k] > 0 {
		share = after.free[k] / total[k]
	}
	return m.lasting()*lost + (tA*share + tB*after.free[k]/largest)
}

// hybrid is the policy over a fleet.
type hybrid struct {
	demands
	index   map[demand]int
	slots   [][]int // of each node for each class
	epoch   float64
	total   vector
	left    vector
	largest vector
	wastes  []float64 // of each node, NaN if unknown
	scratch []float64
	fgd     bool
}

func (h *hybrid) learn(f *fleet, d *demand) {
	if h.index == nil {
		h.index = map[demand]int{}
	}
	for len(h.slots) < len(f.free) {
		h.add(f)
	}
	i, ok := h.index[*d]
	if !ok {
		i = len(h.classes)
		h.index[*d] = i
		h.classes = append(h.classes, kindOfTask{demand: *d})
		for n := range f.free {
			r := room{f.free[n], f.devices[n]}
			s := r.slots(d)
			h.slots[n] = append(h.slots[n], s)
			h.classes[i].slots += s
		}
	}
	h.classes[i].tasks++
	h.tasks++
	for k := range kinds {
		h.asked[k] += d.need[k]
	}
	if h.tasks > h.epoch*1.1 {
		h.epoch = h.tasks
		for n := range h.wastes {
			h.wastes[n] = math.NaN()
		}
		best := 0.0
		for k := range kinds {
			if h.total[k] > 0 && h.asked[k]/h.total[k] > best {
				best, h.scarce = h.asked[k]/h.total[k], k
			}
		}
	}
	more := h.left[h.scarce] / (h.asked[h.scarce] / h.tasks)
	for i := range h.classes {
		c := &h.classes[i]
		expect := c.tasks / h.tasks * more
		c.short = c.slots > 0 && float64(c.slots) <= expect+devs*math.Sqrt(expect)+1
	}
}

// changed: node n changed by -taken
func (h *hybrid) changed(f *fleet, n int, taken *vector) {
	h.wastes[n] = math.NaN()
	for k := range kinds {
		h.left[k] -= taken[k]
	}
	r := room{f.free[n], f.devices[n]}
	for i := range h.classes {
		s := r.slots(&h.classes[i].demand)
		h.classes[i].slots += s - h.slots[n][i]
		h.slots[n][i] = s
	}
}

func (h *hybrid) choose(f *fleet, d *demand) (int, int) {
	h.learn(f, d)
	best, named, least, tie := -1, -1, math.Inf(1), math.Inf(1)
	type key struct {
		free, total vector
	}
	memo := map[key]float64{}
	for n := range f.free {
		if !f.fits(n, d) {
			continue
		}
		k := key{f.free[n], f.total[n]}
		sum := 0.0
		for k := range kinds {
			if f.total[n][k] > 0 {
				sum += (f.free[n][k] - d.need[k]) / f.total[n][k]
			}
		}
		if len(f.devices[n]) == 0 {
			if p, ok := memo[k]; ok {
				if p < least-1e-9 || p < least+1e-9 && sum < tie {
					best, named, least, tie = n, -1, p, sum
				}
				continue
			}
		}
		before := room{f.free[n], f.devices[n]}
		w := h.wastes[n]
		if math.IsNaN(w) {
			w = h.waste(&before)
			h.wastes[n] = w
		}
		if !h.fgd {
			unit := d.need[h.scarce]
			if unit == 0 {
				unit = h.asked[h.scarce] / h.demands.tasks
			}
			a := f.free[n][h.scarce] - d.need[h.scarce]
			lb := -h.lasting()*w/unit + tA*a/max(1, f.total[n][h.scarce]) + tB*a/h.largest[h.scarce]
			if lb > least+1e-9 {
				continue
			}
		}
		for _, at := range options(f.devices[n], d) {
			after := room{f.free[n], append(h.scratch[:0], f.devices[n]...)}
			h.scratch = after.devices
			after.take(d, at)
			p := 0.0
			if h.fgd {
				p = h.waste(&after) - w
			} else {
				p = h.price(&before, &after, w, &f.total[n], h.largest[h.scarce], d)
			}
			if len(f.devices[n]) == 0 {
				memo[k] = p
			}
			if p < least-1e-9 || p < least+1e-9 && sum < tie {
				best, named, least, tie = n, at, p, sum
			}
		}
	}
	return best, named
}

func (r *room) take(d *demand, at int) {
	for k := range kinds {
		r.free[k] -= d.need[k]
	}
	for range d.devices {
		if at < 0 || d.devices > 1 {
			at = -1
			for i, has := range r.devices {
				if has >= d.share && (at < 0 || has < r.devices[at]) {
					at = i
				}
			}
		}
		r.devices[at] -= d.share
	}
}

var none = []int{-1}

// options are the devices that may give a share, one of each amount; -1 where
// there is nothing to choose.
func options(devices []float64, d *demand) []int {
	if d.devices != 1 || d.share >= device {
		return none
	}
	var at []int
	for i, has := range devices {
		if has >= d.share && !slices.Contains(devices[:i], has) {
			at = append(at, i)
		}
	}
	return at
}

var tA, tB, devs = 0.06, 0.06, 3.0

func (h *hybrid) add(f *fleet) {
	n := len(h.slots)
	h.slots = append(h.slots, make([]int, len(h.classes)))
	h.wastes = append(h.wastes, math.NaN())
	for k := range kinds {
		h.total[k] += f.total[n][k]
		h.left[k] += f.total[n][k]
		h.largest[k] = max(h.largest[k], f.total[n][k])
	}
	h.changed(f, n, &vector{})
}
