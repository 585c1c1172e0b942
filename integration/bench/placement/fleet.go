package main

// Kinds of resources.
const (
	cpu    = iota // thousandths of a core
	memory        // MiB
	gpu           // thousandths of a device
	kinds

	// device is one whole device.
	device = 1000.0
)

type vector [kinds]float64

// shape is what a node has.
type shape struct {
	total   vector
	devices int
}

// demand is what a task asks for; of devices, a share of one or some whole ones.
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
	off     []bool // takes no task
}

func newFleet(nodes []shape) *fleet {
	f := &fleet{}
	for _, s := range nodes {
		f.add(s)
	}
	return f
}

func (f *fleet) add(s shape) {
	f.total, f.free = append(f.total, s.total), append(f.free, s.total)
	f.tasks, f.off = append(f.tasks, 0), append(f.off, false)
	devices := make([]float64, s.devices)
	for i := range devices {
		devices[i] = device
	}
	f.devices = append(f.devices, devices)
}

func (f *fleet) room(n int) room { return room{free: f.free[n], devices: f.devices[n]} }

// fits reports whether node n can take the task.
func (f *fleet) fits(n int, d *demand) bool {
	free := &f.free[n]
	if f.off[n] || d.need[cpu] > free[cpu] || d.need[memory] > free[memory] || d.need[gpu] > free[gpu] {
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

// put gives node n the task, on the named device if it is not negative.
func (f *fleet) put(n int, d *demand, named int) {
	r := f.room(n)
	r.give(d, named)
	f.free[n] = r.free
	f.tasks[n]++
}

// take removes a task that asks for no devices.
func (f *fleet) take(n int, d *demand) {
	for k, amount := range d.need {
		f.free[n][k] += amount
	}
	f.tasks[n]--
}
