package main

import "math"

// Kinds of resources, and the amount that is one device.
const (
	cpu    = iota // thousandths of a core
	memory        // MiB
	gpu           // thousandths of a device
	kinds

	device = 1000.0
)

type vector [kinds]float64

// shape is what a node has.
type shape struct {
	total   vector
	devices int
}

// demand is what a task asks for: of devices, a share of one or some whole.
type demand struct {
	need    vector
	devices int     // how many
	share   float64 // of each, in thousandths
}

func newDemand(milliCPU, mib float64, devices int, share float64) demand {
	if devices == 0 {
		share = 0
	}
	return demand{need: vector{milliCPU, mib, float64(devices) * share}, devices: devices, share: share}
}

// fleet is nodes side by side.
type fleet struct {
	total   []vector
	free    []vector
	devices [][]float64 // what is free of each device
	tasks   []int
	dead    []bool
}

func newFleet(nodes []shape) *fleet {
	f := &fleet{}
	for _, s := range nodes {
		f.add(s)
	}
	return f
}

func (f *fleet) add(s shape) {
	f.total, f.free, f.tasks = append(f.total, s.total), append(f.free, s.total), append(f.tasks, 0)
	devices := make([]float64, s.devices)
	for i := range devices {
		devices[i] = device
	}
	f.devices = append(f.devices, devices)
}

// fits reports whether node n can take the task.
func (f *fleet) fits(n int, d *demand) bool {
	free := &f.free[n]
	if f.dead != nil && f.dead[n] {
		return false
	}
	if d.need[cpu] > free[cpu] || d.need[memory] > free[memory] {
		return false
	}
	if d.devices == 0 {
		return true
	}
	if d.need[gpu] > free[gpu] {
		return false
	}
	left := d.devices
	for _, has := range f.devices[n] {
		if has >= d.share {
			left--
		}
	}
	return left <= 0
}

// put gives node n the task: of its devices, those with the least that fit, or
// the one that is named.
func (f *fleet) put(n int, d *demand, named int) {
	for k, amount := range d.need {
		f.free[n][k] -= amount
	}
	f.tasks[n]++
	for range d.devices {
		if named < 0 || d.devices > 1 {
			named = f.tightest(n, d.share)
		}
		f.devices[n][named] -= d.share
	}
}

// take removes a task that asks for no devices.
func (f *fleet) take(n int, d *demand) {
	for k, amount := range d.need {
		f.free[n][k] += amount
	}
	f.tasks[n]--
}

// tightest is the device of node n with the least that is enough, -1 if none is.
func (f *fleet) tightest(n int, share float64) int {
	best, least := -1, math.Inf(1)
	for i, has := range f.devices[n] {
		if has >= share && has < least {
			best, least = i, has
		}
	}
	return best
}
