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
	resize := func(d demand) demand {
		factor, known := factors[d.need]
		if !known {
			factor = [2]float64{0.6 + rng.Float64(), 0.6 + rng.Float64()}
			factors[d.need] = factor
		}
		return newDemand(math.Ceil(d.need[cpu]*factor[0]/100)*100, math.Ceil(d.need[memory]*factor[1]/64)*64, d.devices, d.share)
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
	changed := &traces{vms: t.vms, host: shape{total: vector{48_000, 192 << 10}}}
	for i := range t.nodes {
		s := shape{total: vector{64_000, 256 << 10}}
		if i%2 == 0 {
			s.devices, s.total[gpu] = 4, 4*device
		}
		changed.nodes = append(changed.nodes, s)
	}
	changed.pods = fitting(t.pods, changed.nodes)
	return changed
}

func smallHosts(t *traces) *traces {
	changed := &traces{vms: t.vms, host: shape{total: vector{32_000, 64 << 10}}}
	for _, s := range t.nodes {
		s.total[cpu], s.total[memory] = s.total[cpu]/2, s.total[memory]/2
		changed.nodes = append(changed.nodes, s)
	}
	changed.pods = fitting(t.pods, changed.nodes)
	return changed
}

// fitting leaves out the tasks that none of the nodes could ever take.
func fitting(tasks []demand, nodes []shape) []demand {
	var kept []demand
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
