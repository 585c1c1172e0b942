package main

import "math/rand/v2"

// filling is the question how much of a fleet a policy can fill.
type filling struct {
	nodes []vector
	tasks []vector
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
func arrivals(tasks []vector, rng *rand.Rand) func() *vector {
	order := rng.Perm(len(tasks))
	next := 0
	return func() *vector {
		if next == len(order) {
			rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			next = 0
		}
		next++
		return &tasks[order[next-1]]
	}
}

// arriving are the tasks that arrive, in order.
func (q *filling) arriving(rng *rand.Rand) []*vector {
	var out []*vector
	asked, total := 0.0, q.total()
	for next := arrivals(q.tasks, rng); asked < q.load*total; {
		d := next()
		asked += float64(d[q.kind])
		out = append(out, d)
	}
	return out
}

func (q *filling) total() float64 {
	sum := 0.0
	for i := range q.nodes {
		sum += float64(q.nodes[i][q.kind])
	}
	return sum
}

// run lets tasks arrive. One that does not fit is dropped.
func (q *filling) run(p policy, tasks []*vector) packed {
	f := newFleet(q.nodes)
	watch, _ := p.(observer)
	placed := make([]bool, len(tasks))
	for i, d := range tasks {
		n := p.choose(f, d)
		if n < 0 {
			continue
		}
		placed[i] = true
		f.put(n, d)
		if watch != nil {
			watch.changed(f, n, *d)
		}
	}
	return q.count(tasks, placed)
}

// count is how much of the fleet the tasks fill that were placed.
func (q *filling) count(tasks []*vector, placed []bool) (r packed) {
	had, failed, total := 0.0, false, q.total()
	for i, d := range tasks {
		if !placed[i] {
			failed = true
			continue
		}
		had += float64(d[q.kind])
		if !failed {
			r.Tasks++
			r.Before = 100 * had / total
		}
	}
	r.End = 100 * had / total
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
func fillingA(t *traces) *filling {
	q := &filling{kind: cpu, load: 1.3}
	for _, s := range t.nodes {
		s[gpu] = 0
		q.nodes = append(q.nodes, s)
	}
	for _, d := range t.pods {
		d[gpu] = 0
		q.tasks = append(q.tasks, d)
	}
	return q
}

// packingB fills the nodes with devices.
func fillingB(t *traces) *filling {
	q := &filling{kind: gpu, load: 1.3, tasks: t.pods}
	for _, s := range t.nodes {
		if s[gpu] > 0 {
			q.nodes = append(q.nodes, s)
		}
	}
	return q
}
