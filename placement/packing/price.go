package packing

import "math"

// The weights of the price's terms. All terms are numbers of tasks or shares, so
// that the weights hold for any unit and any size.
const (
	// ofNode and ofLargest weigh what stays free of the scarce kind, as a share
	// of the node and of the largest node: enough to decide among nodes that
	// waste much the same, and to keep large nodes for last.
	ofNode    = 1.0 / 12
	ofLargest = 1.0 / 24
	// ofOther weighs what stays free of CPU, or of memory where CPU is scarce: of
	// nodes that are equal else the fuller one is taken.
	ofOther = 1.0 / 10_000
	// perSlot weighs a slot that a class has too few of: no other term makes up
	// for it.
	perSlot = 1.0
)

// Price is what a node costs the tasks to come. With k the scarce kind and in units
// of what the task asks for of it:
//
//	lasting * (what is stranded once another kind is used up, after less before
//	         + waste, after less before
//	         + perSlot * slots that are taken from classes that run short)
//	+ ofNode * what stays free / what the node has
//	+ ofLargest * what stays free / what the largest node has
//	+ ofOther * what stays free of another kind / what the node has
//
// Waste is the fragmentation gradient (Weng et al., Beware of Fragmentation,
// ATC'23), in the scarce kind in place of GPUs. What is stranded is the alignment
// of a node's rest with the mix of demands (Grandl et al., Multi-resource Packing
// for Cluster Schedulers, SIGCOMM'14). The free share is best fit. Slots of scarce
// classes are kept as protection levels keep seats for later fares (Littlewood,
// 1972), for a number of tasks that varies like Poisson's.
//
// Where tasks come and go (lasting near 0) nothing is made to measure, since what
// stands beside it is gone before the next one comes: best fit is what is left.
type Price struct {
	Wasted float64 // what is stranded and the waste
	Kept   float64 // the slots
	Left   float64 // what stays free
}

// Sum is the whole price; less is better.
func (p *Price) Sum() float64 { return p.Wasted + p.Kept + p.Left }

// Question asks for the prices of nodes for one task.
type Question struct {
	prices  *Prices
	need    *Vector
	lasting float64
	amount  float64        // of the scarce kind
	by      float64        // lasting, by the unit
	tasks   [Kinds]float64 // how many of the mix's ask for as much of each kind
}

// For is the question for a task. lasting is the share of recent tasks that stay: 1
// while a fleet fills, 0 where as many end as arrive.
func (p *Prices) For(need *Vector, lasting float64) Question {
	q := Question{prices: p, need: need, lasting: lasting, amount: float64(need[p.scarce])}
	unit := q.amount
	if unit == 0 {
		unit = p.mean[p.scarce]
	}
	q.by = lasting / unit
	for k, amount := range need {
		q.tasks[k] = float64(amount) * p.perMean[k]
	}
	return q
}

// Floor is what the price of a node is never below, and quick to tell: where it is
// above another's price the node needs no more thought. per is one by what the node
// has of each kind, or 0.
func (q *Question) Floor(free *Vector, rest *Rest, per *[Kinds]float64) float64 {
	wasted, left := q.least(free, rest, per)
	return wasted + left
}

// Price is that of a node of which after is left.
func (q *Question) Price(before, after *Room, rest *Rest, per *[Kinds]float64) (out Price) {
	p := q.prices
	out.Wasted, out.Left = q.least(&before.Free, rest, per)
	more := p.Rest(after).waste - rest.waste + rest.falling*q.amount
	out.Wasted += q.by * max(more, 0)
	for i := range p.short {
		d := &p.short[i]
		out.Kept += q.lasting * perSlot * float64(before.Slots(d)-after.Slots(d))
	}
	return out
}

// least is what is wasted at least, and what stays free. Stranded is what is left of
// the scarce kind once tasks that ask for the mix in proportion have used up another.
func (q *Question) least(free *Vector, rest *Rest, per *[Kinds]float64) (wasted, left float64) {
	p, before, after := q.prices, math.Inf(1), math.Inf(1)
	for _, k := range p.asked { // the built-in min would mind NaN, which costs
		tasks := float64(free[k]) * p.perMean[k]
		if tasks < before {
			before = tasks
		}
		if tasks -= q.tasks[k]; tasks < after {
			after = tasks
		}
	}
	if after < 0 {
		before, after = max(before, 0), 0
	}
	stranded := (before-after)*p.mean[p.scarce] - q.amount
	wasted = q.by * (stranded - rest.falling*q.amount)
	left = (ofNode*per[p.scarce] + p.perLargest) * float64(free[p.scarce]-q.need[p.scarce])
	return wasted, left + ofOther*per[p.other]*float64(free[p.other]-q.need[p.other])
}
