package main

import (
	"math"

	"github.com/musterhq/muster/placement/packing"
)

// recently is over how many tasks the share of those that end is taken.
const recently = 10_000

// hybrid is the product's price of room for fleets without devices whose tasks come
// and go: it asks for the price of every node, and keeps what the price needs to
// know of all nodes together.
type hybrid struct {
	mix     packing.Mix
	prices  *packing.Prices
	rests   []packing.Rest // by node, of those that are fresh
	fresh   []bool
	free    vector // on all nodes
	total   vector
	largest vector
	arrived float64 // recently
	ended   float64 // recently
}

// choose takes the least price, among equals the first.
func (h *hybrid) choose(f *fleet, d *vector) int {
	h.learn(f, d)
	q := h.prices.For(d, max(0, 1-h.ended/h.arrived))
	best, least := -1, math.Inf(1)
	for n := range f.rooms {
		if !f.fits(n, d) {
			continue
		}
		if price := h.price(&q, f, n, d, least); price < least {
			best, least = n, price
		}
	}
	return best
}

// price is that of node n, or less than that where it is above least.
func (h *hybrid) price(q *packing.Question, f *fleet, n int, d *vector, least float64) float64 {
	r, per := &f.rooms[n], &f.per[n]
	if !h.fresh[n] {
		h.rests[n], h.fresh[n] = h.prices.Rest(r), true
	}
	if floor := q.Floor(&r.Free, &h.rests[n], per); floor >= least {
		return floor
	}
	after := packing.Room{Free: r.Free}
	after.Give(d)
	price := q.Price(r, &after, &h.rests[n], per)
	return price.Sum()
}

// learn counts the task, and makes prices anew where the old ones do not hold.
func (h *hybrid) learn(f *fleet, d *vector) {
	for n := len(h.rests); n < len(f.rooms); n++ {
		h.add(f, n)
	}
	h.mix.Add(d)
	if h.arrived++; h.arrived >= recently {
		h.arrived, h.ended = h.arrived/2, h.ended/2
	}
	if h.prices == nil || h.prices.Old(&h.mix, &h.free) {
		h.prices = h.mix.Prices(&packing.Fleet{Total: h.total, Free: h.free, Largest: h.largest, Rooms: f.all})
		clear(h.fresh)
	}
}

func (h *hybrid) add(f *fleet, n int) {
	h.rests, h.fresh = append(h.rests, packing.Rest{}), append(h.fresh, false)
	for k, amount := range f.total[n] {
		h.total[k] += amount
		h.free[k] += amount
		h.largest[k] = max(h.largest[k], amount)
	}
}

// changed tells it that so much was taken from node n.
func (h *hybrid) changed(f *fleet, n int, taken vector) {
	for n >= len(h.rests) {
		h.add(f, len(h.rests))
	}
	for k, amount := range taken {
		h.free[k] -= amount
	}
	h.fresh[n] = false
}

// forget counts the end of a task.
func (h *hybrid) forget(d *vector) {
	h.ended++
	h.mix.Forget(d)
}
