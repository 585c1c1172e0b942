package main

import (
	"math"
	"math/rand/v2"
)

// variant makes another workload of the traces: a policy that is good at these
// files alone shows it there.
type variant struct {
	name   string
	change func(*traces) *traces
}

var variants = []variant{
	{"other sizes: every size of task times 0.6 to 1.6, CPU and memory apart", otherSizes},
	{"half: every second node, pod and arrival", half},
	{"other hosts: A and B of 64 cores, 256 GiB, every second one with 4 devices; C of 48 cores, 192 GiB", otherHosts},
	{"small hosts: A and B with half the CPU and memory, C of 32 cores, 64 GiB", smallHosts},
}

func otherSizes(t *traces) *traces {
	rng := rand.New(rand.NewPCG(7, 7))
	factors := make(map[vector][2]float64)
	resize := func(d vector) vector {
		factor, known := factors[d]
		if !known {
			factor = [2]float64{0.6 + rng.Float64(), 0.6 + rng.Float64()}
			factors[d] = factor
		}
		times := func(k int, step float64) int64 { return int64(math.Ceil(float64(d[k])*factor[k]/step) * step) }
		return newVector(times(cpu, 100), times(memory, 64), d[gpu])
	}
	changed := &traces{nodes: t.nodes, host: t.host}
	for _, d := range t.pods {
		changed.pods = append(changed.pods, resize(d))
	}
	for _, v := range t.vms {
		v.need = resize(v.need)
		changed.vms = append(changed.vms, v)
	}
	changed.pods = fitting(changed.pods, changed.nodes)
	return changed
}

func half(t *traces) *traces {
	return &traces{nodes: second(t.nodes), pods: second(t.pods), vms: second(t.vms), host: t.host}
}

func second[T any](all []T) []T {
	var kept []T
	for i := 0; i < len(all); i += 2 {
		kept = append(kept, all[i])
	}
	return kept
}

func otherHosts(t *traces) *traces {
	changed := &traces{vms: t.vms, host: newVector(48_000, 192<<10, 0)}
	for i := range t.nodes {
		s := newVector(64_000, 256<<10, 0)
		if i%2 == 0 {
			s[gpu] = 4 * device
		}
		changed.nodes = append(changed.nodes, s)
	}
	changed.pods = fitting(t.pods, changed.nodes)
	return changed
}

func smallHosts(t *traces) *traces {
	changed := &traces{vms: t.vms, host: newVector(32_000, 64<<10, 0)}
	for _, s := range t.nodes {
		s[cpu], s[memory] = s[cpu]/2, s[memory]/2
		changed.nodes = append(changed.nodes, s)
	}
	changed.pods = fitting(t.pods, changed.nodes)
	return changed
}

// fitting leaves out the tasks that none of the nodes could ever take.
func fitting(tasks, nodes []vector) []vector {
	var kept []vector
	empty := newFleet(nodes)
	for _, d := range tasks {
		for n := range nodes {
			if empty.fits(n, &d) {
				kept = append(kept, d)
				break
			}
		}
	}
	return kept
}
