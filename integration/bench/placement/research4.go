package main

import (
	"math"
	"sort"
)

// table of W on a grid, lazily
type waster struct {
	mix   mix
	slack float64
	q     float64
	gc    int // cells cpu
	gm    int
	protect float64
	unit  [2]float64
	at    float64
	items []item
	memo  []float32
	tops  [2]float64
}
type item struct {
	c, m int
	w    float64
}

func (p *waster) rebuild(f *fleet) {
	if p.unit[0] == 0 {
		for n := range f.total {
			p.tops[0] = max(p.tops[0], f.total[n][cpu])
			p.tops[1] = max(p.tops[1], f.total[n][memory])
		}
		p.unit[0] = p.tops[0] / float64(p.gc)
		p.unit[1] = p.tops[1] / float64(p.gm)
		p.memo = make([]float32, (p.gc+1)*(p.gm+1))
	}
	for i := range p.memo {
		p.memo[i] = -1
	}
	p.at = p.mix.total
	idx := map[[2]int]int{}
	p.items = p.items[:0]
	for _, c := range p.mix.classes {
		k := [2]int{int(math.Ceil(c.d.need[cpu] / p.unit[0])), int(math.Ceil(c.d.need[memory] / p.unit[1]))}
		i, ok := idx[k]
		if !ok {
			i = len(p.items)
			idx[k] = i
			p.items = append(p.items, item{k[0], k[1], 0})
		}
		p.items[i].w += c.n / p.mix.total
	}
}

func (p *waster) w(c, m int) float32 {
	at := c*(p.gm+1) + m
	if v := p.memo[at]; v >= 0 {
		return v
	}
	type ch struct{ v, w float64 }
	var buf [128]ch
	list := buf[:0]
	for _, it := range p.items {
		if it.c <= c && it.m <= m {
			list = append(list, ch{float64(p.w(c-it.c, m-it.m)), it.w})
		}
	}
	var v float64
	if len(list) == 0 {
		v = float64(c)
	} else {
		sort.Slice(list, func(i, j int) bool { return list[i].v < list[j].v })
		left, sum := p.q, 0.0
		for _, l := range list {
			t := min(left, l.w)
			sum += t * l.v
			left -= t
			if left <= 0 {
				break
			}
		}
		v = sum / (p.q - left)
	}
	p.memo[at] = float32(v)
	return float32(v)
}

func (p *waster) W(r *vector) float64 {
	cc := r[cpu] / p.unit[0]
	c, m := int(cc), int(r[memory]/p.unit[1])
	return (float64(p.w(c, m)) + cc - float64(c)) * p.unit[0]
}

func (p *waster) choose(f *fleet, d *demand) (int, int) {
	p.mix.see(d)
	if p.mix.total > p.at*1.5 {
		p.rebuild(f)
	}
	best, least, bestTie := -1, math.Inf(1), math.Inf(1)
	for n := range f.free {
		if !f.fits(n, d) {
			continue
		}
		after := f.free[n]
		for k := range after {
			after[k] -= d.need[k]
		}
		score := (p.W(&after)-p.W(&f.free[n]))/d.need[cpu] + p.slack*after[cpu]/f.total[n][cpu]
		if f.tasks[n] == 0 {
			score += p.protect
		}
		tie := nomadBinpack(f, n, d)
		if score < least-1e-9 || score <= least+1e-9 && tie < bestTie {
			best, least, bestTie = n, score, tie
		}
	}
	return best, -1
}
