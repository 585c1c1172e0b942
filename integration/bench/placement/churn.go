package main

import (
	"container/heap"
	"math"
)

// event ends a task.
type ending struct {
	at   float64
	task int
}

type endings []ending

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].at < e[j].at }
func (e endings) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any)        { *e = append(*e, x.(ending)) }
func (e *endings) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// churned is what a policy needed.
type churned struct {
	over     float64 // hosts above lower bound, share
	moves    int
	arrivals int
	hosts    float64
}

type chooser interface {
	place(w *world, task int) int // host or -1 for a new one
	tick(w *world)
	ended(w *world, task int)
}

type world struct {
	now      float64
	vms      []vm
	f        *fleet
	host     []int   // of each task, -1
	on       [][]int // tasks on each host
	moves    int
	seen     int
	active   int
	oneShape shape
	hook     func(n int, d *demand, sign float64)
}

func (w *world) assign(t, n int) {
	if w.f.tasks[n] == 0 {
		w.active++
		w.f.dead[n] = false
	}
	w.f.put(n, &w.vms[t].need, -1)
	if w.hook != nil {
		w.hook(n, &w.vms[t].need, 1)
	}
	w.host[t] = n
	w.on[n] = append(w.on[n], t)
}

func (w *world) remove(t int) {
	n := w.host[t]
	w.f.take(n, &w.vms[t].need)
	if w.hook != nil {
		w.hook(n, &w.vms[t].need, -1)
	}
	w.host[t] = -1
	l := w.on[n]
	for i := range l {
		if l[i] == t {
			l[i] = l[len(l)-1]
			w.on[n] = l[:len(l)-1]
			break
		}
	}
	if w.f.tasks[n] == 0 {
		w.active--
		w.f.dead[n] = true
	}
}

func (w *world) move(t, n int) {
	w.remove(t)
	w.assign(t, n)
	w.moves++
}

func (w *world) fresh() int {
	for n := range w.f.tasks {
		if w.f.tasks[n] == 0 {
			return n
		}
	}
	w.f.add(w.oneShape)
	w.on = append(w.on, nil)
	w.f.dead = append(w.f.dead, true)
	return len(w.f.tasks) - 1
}

func churn(vms []vm, sh shape, warm float64, c chooser) churned {
	w := &world{vms: vms, f: &fleet{}, host: make([]int, len(vms)), oneShape: sh}
	var ends endings
	sumA, sumB := 0.0, 0.0
	var need vector
	last := 0.0
	first := true
	r := churned{}
	m0 := 0
	advance := func(to float64) {
		if to > warm {
			from := max(last, warm)
			b := 0.0
			for k := range 2 {
				b = max(b, need[k]/sh.total[k])
			}
			b = math.Ceil(b - 1e-9)
			sumA += (to - from) * float64(w.active)
			sumB += (to - from) * b
			if first {
				first = false
			}
		}
		last, w.now = to, to
	}
	lastTick := 0.0
	for t := range vms {
		v := &vms[t]
		for len(ends) > 0 && ends[0].at <= v.start {
			e := heap.Pop(&ends).(ending)
			advance(e.at)
			for k := range need {
				need[k] -= vms[e.task].need.need[k]
			}
			w.remove(e.task)
			c.ended(w, e.task)
		}
		advance(v.start)
		if v.start > lastTick {
			lastTick = v.start
			c.tick(w)
		}
		if v.start < warm {
			m0 = w.moves
		}
		n := c.place(w, t)
		if n < 0 {
			n = w.fresh()
		}
		w.seen++
		w.assign(t, n)
		for k := range need {
			need[k] += v.need.need[k]
		}
		if v.end < math.Inf(1) {
			heap.Push(&ends, ending{v.end, t})
		}
	}
	_ = m0
	r.over = sumA/sumB - 1
	r.hosts = sumB / (last - warm)
	r.moves = w.moves
	r.arrivals = w.seen
	return r
}

// plain wraps a policy: only hosts in use.
type plain struct{ p policy }

func (plain) tick(*world)       {}
func (plain) ended(*world, int) {}
func (p plain) place(w *world, t int) int {
	n, _ := p.p.choose(w.f, &w.vms[t].need)
	return n
}

type hyC struct {
	h      *hybrid
	budget float64
}

func (c *hyC) tick(w *world) {
	if c.budget > 0 {
		(&mover{budget: c.budget}).tick(w)
	}
}
func (c *hyC) ended(w *world, t int) { c.h.ended++ }
func (c *hyC) place(w *world, t int) int {
	if w.hook == nil {
		w.hook = func(n int, d *demand, sign float64) {
			for len(c.h.slots) <= n {
				c.h.add(w.f)
			}
			v := d.need
			for k := range v {
				v[k] *= sign
			}
			c.h.changed(w.f, n, &v)
		}
	}
	n, _ := c.h.choose(w.f, &w.vms[t].need)
	return n
}
