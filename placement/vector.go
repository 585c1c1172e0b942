package placement

import (
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/placement/packing"
)

// Dimensions of a vector.
const (
	dimCPU       = packing.CPU       // thousandths of a core
	dimMemory    = packing.Memory    // bytes
	dimDisk      = packing.Disk      // bytes
	dimBandwidth = packing.Bandwidth // bits a second
	dimGPU       = packing.GPU       // thousandths of a GPU
	dims         = packing.Kinds
)

// always is how many dimensions, the first, count on every node and for every
// task. What one reserves nothing of in the others cannot be short.
const always = dimMemory + 1

// vector is an amount of every resource.
type vector [dims]int64

func vectorOf(r cluster.Resources) vector {
	return vector{dimCPU: r.MilliCPU, dimMemory: r.Memory, dimDisk: r.Disk, dimBandwidth: r.Bandwidth, dimGPU: r.MilliGPU}
}

func (v vector) resources() cluster.Resources {
	return cluster.Resources{MilliCPU: v[dimCPU], Memory: v[dimMemory], Disk: v[dimDisk], Bandwidth: v[dimBandwidth], MilliGPU: v[dimGPU]}
}

func (v *vector) add(o *vector) {
	for d := range v {
		v[d] += o[d]
	}
}

// sum sets v to a + b, in the first dimensions or with more in all. Every node is
// asked for it again and again, and mostly the others are nothing.
func (v *vector) sum(a, b *vector, more bool) {
	v[dimCPU], v[dimMemory] = a[dimCPU]+b[dimCPU], a[dimMemory]+b[dimMemory]
	if more {
		v.sumMore(a, b)
	}
}

func (v *vector) sumMore(a, b *vector) {
	for d := always; d < dims; d++ {
		v[d] = a[d] + b[d]
	}
}

func (v *vector) sub(o *vector) {
	for d := range v {
		v[d] -= o[d]
	}
}

// more reports whether there is anything but CPU and memory in v.
func (v *vector) more() bool { return [dims - always]int64(v[always:]) != [dims - always]int64{} }

// inverse is one by each amount. A share of CPU or memory that is not there is
// all of it, one of anything else is nothing.
func inverse(v vector) (out [dims]float64) {
	for d := range v {
		if v[d] > 0 || d < always {
			out[d] = 1 / float64(max(v[d], 1))
		}
	}
	return out
}

// fits reports whether v is at most free in every dimension that counts for it.
func (v *vector) fits(free *vector) bool {
	if v[dimCPU] > free[dimCPU] || v[dimMemory] > free[dimMemory] {
		return false
	}
	for d := always; d < dims; d++ {
		if v[d] > 0 && v[d] > free[d] {
			return false
		}
	}
	return true
}

// short is what free lacks to hold v; what a node holds beyond its capacity
// counts as nothing free.
func (v *vector) short(free *vector) vector {
	var out vector
	for d := range v {
		out[d] = max(v[d]-max(free[d], 0), 0)
	}
	return out
}
