package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// packed is what a policy achieved in filling a fleet, as shares of capacity.
type packed struct {
	tasks  int     // before the first that did not fit
	before float64 // allocated then
	end    float64 // allocated when the arrivals ended
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

// pack lets tasks arrive until they have asked for load times the fleet's amount
// of one kind. One that does not fit is dropped.
func pack(f *fleet, tasks []demand, kind int, load float64, p policy, rng *rand.Rand) packed {
	total := 0.0
	for n := range f.total {
		total += f.total[n][kind]
	}
	var r packed
	asked, placed, failed, fails := 0.0, 0.0, false, 0
	for next := arrivals(tasks, rng); asked < load*total; {
		d := next()
		asked += d.need[kind]
		n, named := p.choose(f, d)
		if n < 0 {
			if fails++; fails < 0 {
				fmt.Println("fail", *d, placed/total)
			}
			if !failed {
				failed, r.before = true, placed/total
			}
			continue
		}
		f.put(n, d, named)
		if h, ok := p.(*hybrid); ok {
			h.changed(f, n, &d.need)
		}
		placed += d.need[kind]
		if !failed {
			r.tasks++
		}
	}
	h := map[string]float64{}
	for n := range f.free {
		k := "rest"
		c, m := f.free[n][cpu], f.free[n][memory]
		switch {
		case c < 1000:
			k = "c<1"
		case c < 3152:
			k = "c<3.152"
		case m < 5600:
			k = "m<5.6"
		}
		k += fmt.Sprintf(" %.0f", f.total[n][memory]/1024/f.total[n][cpu]*1000)
		h[k] += c / total * 100
	}
	ks := []string{}
	for k := range h {
		ks = append(ks, fmt.Sprintf("%s=%.2f", k, h[k]))
	}
	slices.Sort(ks)
	//	fmt.Println(ks)
	r.end = placed / total
	if !failed {
		r.before = r.end
	}
	return r
}
