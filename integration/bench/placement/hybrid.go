package main

import "math"

// The weights of hybrid's terms. All terms are numbers of tasks or shares, so
// that the weights hold for any unit and any size.
const (
	// ofNode and ofLargest weigh what stays free of the scarce kind, as a share
	// of the node and of the largest node: enough to decide among nodes that
	// waste much the same, and to keep large nodes for last.
	ofNode    = 1.0 / 12
	ofLargest = 1.0 / 24
	// perSlot weighs a slot that a class has too few of: no other term makes up
	// for it.
	perSlot = 1.0
)

// question is one task on one node.
type question struct {
	task    *demand
	before  room
	waste   float64 // of before
	total   vector  // the node's
	largest float64 // of the scarce kind, of any node
}

// floor is the part of price that is quick to tell, with the least that the rest
// can be: a node whose floor is above another's price needs no more thought.
func (s *demands) floor(q *question) float64 {
	k, unit := s.scarce, s.unit(q.task)
	after := room{free: q.before.free}
	for i, amount := range q.task.need {
		after.free[i] -= amount
	}
	lost := (after.stranded(&s.asked, k) - q.before.stranded(&s.asked, k)) / unit
	free := ofLargest * after.free[k] / q.largest
	if q.total[k] > 0 {
		free += ofNode * after.free[k] / q.total[k]
	}
	return s.lasting()*(lost-q.waste/unit) + free
}

// price is what it costs the tasks to come that the task is placed so that after
// is left of the node; less is better. With k the scarce kind and in units of what
// the task asks for of it:
//
//	lasting * (what is stranded once another kind is used up, after less before
//	         + waste, after less before
//	         + perSlot * slots that are taken from classes that run short)
//	+ ofNode * what stays free / what the node has
//	+ ofLargest * what stays free / what the largest node has
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
func (s *demands) price(q *question, after *room) float64 {
	lost := s.waste(after) / s.unit(q.task)
	for i := range s.classes {
		if c := &s.classes[i]; c.short {
			lost += perSlot * float64(q.before.slots(&c.demand)-after.slots(&c.demand))
		}
	}
	return s.floor(q) + s.lasting()*lost
}

// unit is what the task asks for of the scarce kind, or what others do.
func (s *demands) unit(d *demand) float64 {
	if d.need[s.scarce] > 0 {
		return d.need[s.scarce]
	}
	return s.mean()
}

// choice is the best answer so far. Among equal prices the fuller node wins, then
// the first.
type choice struct {
	node, device int
	price, free  float64 // free: the sum of the shares that stay free
}

func noChoice() choice {
	return choice{node: -1, device: -1, price: math.Inf(1), free: math.Inf(1)}
}

func (c *choice) offer(other choice) {
	const same = 1e-9
	if other.price < c.price-same || other.price < c.price+same && other.free < c.free {
		*c = other
	}
}
