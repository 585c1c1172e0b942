package main

import "math"

// room is what is free on a node.
type room struct {
	free    vector
	devices []float64 // of each device, in thousandths
}

// slots is how many tasks like d, one after the other, the room takes.
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

// useless is how much of a kind of resource a task like d cannot use: all that is
// free where it does not fit, else the devices with less than its share.
func (r *room) useless(d *demand, kind int) float64 {
	for k, amount := range d.need {
		if amount > r.free[k] {
			return r.free[kind]
		}
	}
	if d.devices == 0 {
		return 0
	}
	enough, rest := 0, 0.0
	for _, has := range r.devices {
		if has >= d.share {
			enough++
		} else {
			rest += has
		}
	}
	switch {
	case enough < d.devices:
		return r.free[kind]
	case kind == gpu:
		return rest
	default:
		return 0
	}
}

// stranded is how much of a kind of resource is left when tasks that ask for the
// mix in proportion have used up another kind.
func (r *room) stranded(mix *vector, kind int) float64 {
	tasks := math.Inf(1)
	for k, amount := range mix {
		if amount > 0 {
			tasks = min(tasks, r.free[k]/amount)
		}
	}
	return r.free[kind] - tasks*mix[kind]
}

// give takes what the task needs out of the room; its share comes from the named
// device, or, if it is negative, from those with the least that is enough.
func (r *room) give(d *demand, named int) {
	for k, amount := range d.need {
		r.free[k] -= amount
	}
	if d.devices == 1 && named >= 0 {
		r.devices[named] -= d.share
		return
	}
	for range d.devices {
		r.devices[r.tightest(d.share)] -= d.share
	}
}

// tightest is the device with the least that is enough, -1 if none is.
func (r *room) tightest(share float64) int {
	best := -1
	for i, has := range r.devices {
		if has >= share && (best < 0 || has < r.devices[best]) {
			best = i
		}
	}
	return best
}
