package main

import "math/rand/v2"

// packing is the question how much of a fleet a policy can fill.
type packing struct {
	nodes []shape
	tasks []demand
	kind  int     // of resource that is counted
	load  float64 // what the tasks ask for in all, of what there is
}

// packed is the answer, in per cent of the fleet.
type packed struct {
	Tasks  float64
	Before float64
	End    float64
}

// arrivals repeats the tasks, each time in another order.
func arrivals(tasks []demand, rng *rand.Rand) func() *demand {
	order := rng.Perm(len(tasks))
	next := 0
	return func() *demand {
		if next == len(order) {
			rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			next = 0
		}
		next++
		return &tasks[order[next-1]]
	}
}

// run lets tasks arrive. One that does not fit is dropped.
func (q *packing) run(p policy, rng *rand.Rand) packed {
	f := newFleet(q.nodes)
	total := 0.0
	for n := range f.total {
		total += f.total[n][q.kind]
	}
	watch, _ := p.(observer)
	var r packed
	asked, placed, failed := 0.0, 0.0, false
	for next := arrivals(q.tasks, rng); asked < q.load*total; {
		d := next()
		asked += d.need[q.kind]
		n, device := p.choose(f, d)
		if n < 0 {
			failed = true
			continue
		}
		f.put(n, d, device)
		if watch != nil {
			watch.changed(f, n, d.need)
		}
		placed += d.need[q.kind]
		if !failed {
			r.Tasks++
			r.Before = 100 * placed / total
		}
	}
	r.End = 100 * placed / total
	return r
}

// mean is the mean of runs with other seeds.
func mean(runs []packed) packed {
	var m packed
	for _, r := range runs {
		m.Tasks += r.Tasks / float64(len(runs))
		m.Before += r.Before / float64(len(runs))
		m.End += r.End / float64(len(runs))
	}
	return m
}

// packingA fills CPU and memory of all nodes.
func packingA(t *traces) *packing {
	q := &packing{kind: cpu, load: 1.3}
	for _, s := range t.nodes {
		s.total[gpu], s.devices = 0, 0
		q.nodes = append(q.nodes, s)
	}
	for _, d := range t.pods {
		q.tasks = append(q.tasks, newDemand(d.need[cpu], d.need[memory], 0, 0))
	}
	return q
}

// packingB fills the nodes with devices.
func packingB(t *traces) *packing {
	q := &packing{kind: gpu, load: 1.3, tasks: t.pods}
	for _, s := range t.nodes {
		if s.devices > 0 {
			q.nodes = append(q.nodes, s)
		}
	}
	return q
}
