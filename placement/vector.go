package placement

import "github.com/musterhq/muster/cluster"

// Dimensions of a vector.
const (
	dimCPU    = iota // thousandths of a core
	dimMemory        // bytes
	dims
)

// vector is an amount of every resource.
type vector [dims]int64

func vectorOf(r cluster.Resources) vector { return vector{dimCPU: r.MilliCPU, dimMemory: r.Memory} }

func (v vector) resources() cluster.Resources {
	return cluster.Resources{MilliCPU: v[dimCPU], Memory: v[dimMemory]}
}

func (v *vector) add(o *vector) {
	for d := range v {
		v[d] += o[d]
	}
}

func (v *vector) sub(o *vector) {
	for d := range v {
		v[d] -= o[d]
	}
}

// inverse is one by each amount. A share of what is not there is all of it.
func inverse(v vector) (out [dims]float64) {
	for d := range v {
		out[d] = 1 / float64(max(v[d], 1))
	}
	return out
}

// fits reports whether v is at most free in every dimension.
func (v *vector) fits(free *vector) bool {
	for d := range v {
		if v[d] > free[d] {
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
