package main

import (
	"container/heap"
	"math"
	"slices"
)

// churn is the question how many equal hosts tasks need that come and go, if a
// host without tasks is given back.
type churn struct {
	tasks []vm
	host  vector
	warm  float64 // seconds that are not counted
}

// churned is the answer.
type churned struct {
	Over  float64 // mean hosts above what the sum of demands needs
	Moves float64 // of the tasks that arrived
}

// hosts are the hosts of a run, and which tasks they have.
type hosts struct {
	*fleet
	churn  *churn
	policy policy
	watch  observer // may be nil
	on     [][]int  // tasks, by host
	at     []int    // hosts, by task
	need   vector   // of all tasks
	inUse  int
	moves  int
	seen   int
}

// run replays the tasks. moving is how many moves a task that arrived pays for.
func (c *churn) run(p policy, moving float64) churned {
	h := &hosts{fleet: &fleet{}, churn: c, policy: p, at: make([]int, len(c.tasks))}
	h.watch, _ = p.(observer)
	var ends endings
	had, needed, last, moved := 0.0, 0.0, 0.0, 0.0
	advance := func(now float64) {
		span := max(now, c.warm) - max(last, c.warm)
		had += span * float64(h.inUse)
		needed += span * c.bound(&h.need)
		last = now
	}
	for t := range c.tasks {
		task := &c.tasks[t]
		for len(ends) > 0 && ends[0].at <= task.start {
			e := heap.Pop(&ends).(ending)
			advance(e.at)
			h.end(e.task)
		}
		advance(task.start)
		if task.start > moved {
			moved = task.start
			h.consolidate(moving)
		}
		h.begin(t)
		if !math.IsInf(task.end, 1) {
			heap.Push(&ends, ending{task.end, t})
		}
	}
	return churned{Over: 100 * (had/needed - 1), Moves: 100 * float64(h.moves) / float64(h.seen)}
}

// bound is how many hosts the demands need at least.
func (c *churn) bound(need *vector) float64 {
	share := func(k int) float64 { return float64(need[k]) / float64(c.host[k]) }
	return math.Ceil(max(share(cpu), share(memory)) - 1e-9)
}

func (h *hosts) begin(t int) {
	h.seen++
	d := &h.churn.tasks[t].need
	n := h.policy.choose(h.fleet, d)
	if n < 0 {
		n = h.open()
	}
	h.assign(t, n)
	for k := range h.need {
		h.need[k] += d[k]
	}
}

func (h *hosts) end(t int) {
	h.remove(t)
	if h.watch != nil {
		h.watch.forget(&h.churn.tasks[t].need)
	}
	for k := range h.need {
		h.need[k] -= h.churn.tasks[t].need[k]
	}
}

// open is a host without tasks, a new one if there is none.
func (h *hosts) open() int {
	n := slices.Index(h.tasks, 0)
	if n < 0 {
		n = len(h.tasks)
		h.add(h.churn.host)
		h.off[n] = true
		h.on = append(h.on, nil)
	}
	return n
}

func (h *hosts) assign(t, n int) {
	d := &h.churn.tasks[t].need
	if h.tasks[n] == 0 {
		h.inUse++
		h.off[n] = false
	}
	h.put(n, d)
	h.at[t], h.on[n] = n, append(h.on[n], t)
	if h.watch != nil {
		h.watch.changed(h.fleet, n, *d)
	}
}

func (h *hosts) remove(t int) {
	n, d := h.at[t], &h.churn.tasks[t].need
	h.take(n, d)
	i := slices.Index(h.on[n], t)
	h.on[n] = slices.Delete(h.on[n], i, i+1)
	if h.tasks[n] == 0 {
		h.inUse--
		h.off[n] = true
	}
	if h.watch != nil {
		var given vector
		for k, amount := range d {
			given[k] = -amount
		}
		h.watch.changed(h.fleet, n, given)
	}
}

// ending is when a task ends.
type ending struct {
	at   float64 // seconds
	task int
}

// endings is a heap, the next one first.
type endings []ending

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].at < e[j].at }
func (e endings) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any)        { *e = append(*e, x.(ending)) }
func (e *endings) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	*e = (*e)[:last]
	return x
}
