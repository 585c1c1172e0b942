package packing

import (
	"math"

	"github.com/musterhq/muster/cluster"
)

// Kinds of resources.
const (
	CPU       = iota // thousandths of a core
	Memory           // bytes
	Disk             // bytes
	Bandwidth        // bits a second
	GPU              // thousandths of a GPU
	Kinds
)

// Vector is an amount of every kind. As a demand it asks for a share of one GPU if
// it asks for less than a whole one, else for whole ones.
type Vector [Kinds]int64

// gpus is how many GPUs the demand asks for, and how much of each.
func (v *Vector) gpus() (devices int, share int64) {
	switch asked := v[GPU]; {
	case asked <= 0:
		return 0, 0
	case asked < cluster.WholeDevice:
		return 1, asked
	default:
		return int(asked / cluster.WholeDevice), cluster.WholeDevice
	}
}

// within reports whether v asks for no more than free of any kind.
func (v *Vector) within(free *Vector) bool {
	for k, amount := range v {
		if amount > 0 && amount > free[k] {
			return false
		}
	}
	return true
}

// Room is what is free on a node.
type Room struct {
	Free Vector
	GPUs []int64 // of each, in thousandths
}

// Slots is how many tasks like d, one after the other, the room takes.
func (r *Room) Slots(d *Vector) int {
	n := int64(math.MaxInt32)
	for k, amount := range d {
		if amount > 0 {
			n = min(n, max(r.Free[k], 0)/amount)
		}
	}
	devices, share := d.gpus()
	if devices == 0 || n == 0 {
		return int(n)
	}
	shares := 0
	for _, has := range r.GPUs {
		shares += int(has / share)
	}
	return min(int(n), shares/devices)
}

// UselessGPUs is how much of its GPUs a task like d cannot use: all where it does
// not fit, else those with less than its share.
func (r *Room) UselessGPUs(d *Vector) int64 {
	if !d.within(&r.Free) {
		return r.Free[GPU]
	}
	devices, share := d.gpus()
	enough, rest := 0, int64(0)
	for _, has := range r.GPUs {
		if has >= share {
			enough++
		} else {
			rest += has
		}
	}
	if enough < devices {
		return r.Free[GPU]
	}
	return rest
}

// Give takes what the task needs out of the room; a share of a GPU comes from the
// one with the least that is enough.
func (r *Room) Give(d *Vector) {
	for k, amount := range d {
		r.Free[k] -= amount
	}
	devices, share := d.gpus()
	for range devices {
		if i := r.tightest(share); i >= 0 {
			r.GPUs[i] -= share
		}
	}
}

// tightest is the GPU with the least that is enough, -1 if none is.
func (r *Room) tightest(share int64) int {
	best := -1
	for i, has := range r.GPUs {
		if has >= share && (best < 0 || has < r.GPUs[best]) {
			best = i
		}
	}
	return best
}
