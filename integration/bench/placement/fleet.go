package main

import (
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/placement/packing"
)

// Kinds of resources that the traces know.
const (
	cpu    = packing.CPU    // thousandths of a core
	memory = packing.Memory // MiB here
	gpu    = packing.GPU    // thousandths of a device

	// device is one whole device.
	device = cluster.WholeDevice
)

// vector is what a node has, or what a task asks for; less than a whole device is
// a share of one.
type vector = packing.Vector

func newVector(milliCPU, mib, milliGPU int64) vector {
	return vector{cpu: milliCPU, memory: mib, gpu: milliGPU}
}

// fleet is nodes side by side.
type fleet struct {
	total []vector
	per   [][packing.Kinds]float64 // one by the total, or 0
	rooms []packing.Room
	tasks []int
	off   []bool // takes no task
}

func newFleet(nodes []vector) *fleet {
	f := &fleet{}
	for _, total := range nodes {
		f.add(total)
	}
	return f
}

func (f *fleet) add(total vector) {
	f.total = append(f.total, total)
	f.tasks, f.off = append(f.tasks, 0), append(f.off, false)
	var per [packing.Kinds]float64
	for k, amount := range total {
		if amount > 0 {
			per[k] = 1 / float64(amount)
		}
	}
	f.per = append(f.per, per)
	r := packing.Room{Free: total}
	for range total[gpu] / device {
		r.GPUs = append(r.GPUs, device)
	}
	f.rooms = append(f.rooms, r)
}

// fits reports whether node n can take the task.
func (f *fleet) fits(n int, d *vector) bool {
	free := &f.rooms[n].Free
	if f.off[n] || d[cpu] > free[cpu] || d[memory] > free[memory] || d[gpu] > free[gpu] {
		return false
	}
	return d[gpu] == 0 || f.rooms[n].Slots(d) > 0
}

// all yields what every node has left.
func (f *fleet) all(yield func(*packing.Room) bool) {
	for n := range f.rooms {
		if !yield(&f.rooms[n]) {
			return
		}
	}
}

// put gives node n the task.
func (f *fleet) put(n int, d *vector) {
	f.rooms[n].Give(d)
	f.tasks[n]++
}

// take removes a task that asks for no devices.
func (f *fleet) take(n int, d *vector) {
	for k, amount := range d {
		f.rooms[n].Free[k] += amount
	}
	f.tasks[n]--
}
