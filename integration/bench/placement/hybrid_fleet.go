package main

import (
	"math"
	"slices"
)

// hybrid asks for the price of every node of a fleet, and keeps what the price
// needs to know of all nodes together.
type hybrid struct {
	demands
	counts  [][]int   // slots, by node and class
	wastes  []float64 // by node; NaN is unknown
	counted float64   // tasks seen when wastes were last all forgotten
	free    vector    // on all nodes
	total   vector
	largest vector
	scratch []float64
}

func (h *hybrid) choose(f *fleet, d *demand) (node, device int) {
	h.learn(f, d)
	best := noChoice()
	prices := make(map[[2]vector]float64) // equal nodes without devices have equal prices
	for n := range f.free {
		if !f.fits(n, d) {
			continue
		}
		equals := [2]vector{f.free[n], f.total[n]}
		offer := choice{node: n, device: -1, free: sharesFree(f, n, d)}
		if p, known := prices[equals]; known && len(f.devices[n]) == 0 {
			offer.price = p
			best.offer(offer)
			continue
		}
		q := question{task: d, before: f.room(n), waste: h.wasteOf(f, n), total: f.total[n], largest: h.largest[h.scarce]}
		if offer.price = h.floor(&q); offer.price <= best.price {
			for _, offer.device = range options(f.devices[n], d) {
				h.scratch = append(h.scratch[:0], f.devices[n]...)
				after := room{free: f.free[n], devices: h.scratch}
				after.give(d, offer.device)
				offer.price = h.price(&q, &after)
				best.offer(offer)
			}
		}
		prices[equals] = offer.price
	}
	return best.node, best.device
}

// learn counts the task, and at times looks at all again: when a tenth has come to
// what is known of the mix.
func (h *hybrid) learn(f *fleet, d *demand) {
	for n := len(h.counts); n < len(f.free); n++ {
		h.add(f, n)
	}
	if i, fresh := h.see(d); fresh {
		for n := range h.counts {
			if i == len(h.counts[n]) {
				h.counts[n] = append(h.counts[n], 0)
			}
			r := f.room(n)
			h.counts[n][i] = r.slots(d)
			h.classes[i].slots += h.counts[n][i]
		}
	}
	if h.tasks > h.counted*1.1 {
		h.counted = h.tasks
		for n := range h.wastes {
			h.wastes[n] = math.NaN()
		}
		h.rank(&h.total)
	}
	h.foresee(&h.free)
}

func (h *hybrid) add(f *fleet, n int) {
	h.counts = append(h.counts, make([]int, len(h.classes)))
	h.wastes = append(h.wastes, math.NaN())
	for k, amount := range f.total[n] {
		h.total[k] += amount
		h.free[k] += amount
		h.largest[k] = max(h.largest[k], amount)
	}
	h.changed(f, n, vector{})
}

// changed tells it that so much was taken from node n.
func (h *hybrid) changed(f *fleet, n int, taken vector) {
	for n >= len(h.counts) {
		h.add(f, len(h.counts))
	}
	for k, amount := range taken {
		h.free[k] -= amount
	}
	h.wastes[n] = math.NaN()
	r := f.room(n)
	for i := range h.classes {
		c := &h.classes[i]
		slots := r.slots(&c.demand)
		c.slots += slots - h.counts[n][i]
		h.counts[n][i] = slots
	}
}

func (h *hybrid) wasteOf(f *fleet, n int) float64 {
	if math.IsNaN(h.wastes[n]) {
		r := f.room(n)
		h.wastes[n] = h.waste(&r)
	}
	return h.wastes[n]
}

// sharesFree is the sum of the shares of each kind that stay free on node n.
func sharesFree(f *fleet, n int, d *demand) float64 {
	sum := 0.0
	for k, total := range f.total[n] {
		if total > 0 {
			sum += (f.free[n][k] - d.need[k]) / total
		}
	}
	return sum
}

var anyDevice = []int{-1}

// options are the devices that can give the task its share, one of each amount;
// -1 where there is nothing to choose.
func options(devices []float64, d *demand) []int {
	if d.devices != 1 || d.share >= device {
		return anyDevice
	}
	var at []int
	for i, has := range devices {
		if has >= d.share && !slices.Contains(devices[:i], has) {
			at = append(at, i)
		}
	}
	return at
}
