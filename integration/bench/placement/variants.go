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
	{"other hosts: 64 cores, 256 GiB, every second one with 4 devices", otherHosts},
	{"scaled: nodes with half as much of all but devices", smallHosts},
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
	changed := &traces{nodes: t.nodes}
	for _, d := range t.pods {
		changed.pods = append(changed.pods, resize(d))
	}
	for _, v := range t.vms {
		v.need = resize(v.need)
		changed.vms = append(changed.vms, v)
	}
	return changed
}

func half(t *traces) *traces {
	return &traces{nodes: second(t.nodes), pods: second(t.pods), vms: second(t.vms)}
}

func second[T any](all []T) []T {
	var kept []T
	for i := 0; i < len(all); i += 2 {
		kept = append(kept, all[i])
	}
	return kept
}

func otherHosts(t *traces) *traces {
	changed := &traces{pods: fitting(t.pods, vector{64_000, 256 << 10, 4 * device}), vms: t.vms}
	for i := range t.nodes {
		s := shape{total: vector{64_000, 256 << 10}}
		if i%2 == 0 {
			s.devices, s.total[gpu] = 4, 4*device
		}
		changed.nodes = append(changed.nodes, s)
	}
	return changed
}

func smallHosts(t *traces) *traces {
	changed := &traces{pods: fitting(t.pods, vector{48_000, 192 << 10, 8 * device}), vms: t.vms}
	for _, s := range t.nodes {
		s.total[cpu], s.total[memory] = s.total[cpu]/2, s.total[memory]/2
		changed.nodes = append(changed.nodes, s)
	}
	return changed
}

// fitting leaves out the tasks that no node could take.
func fitting(tasks []demand, most vector) []demand {
	var kept []demand
	for _, d := range tasks {
		if d.need[cpu] <= most[cpu] && d.need[memory] <= most[memory] && d.need[gpu] <= most[gpu] {
			kept = append(kept, d)
		}
	}
	return kept
}
