package main

import (
	"math"
)

// value: expected waste of a residual when served by the mix.
type valuer struct {
	mix    mix
	mode   int
	k      float64
	slack  float64
	memo   map[vector]float64
	at     float64
	refr   float64
	sorted []class
}

func (p *valuer) choose(f *fleet, d *demand) (int, int) {
	p.mix.see(d)
	if p.memo == nil || p.mix.total > p.at*1.5 {
		p.memo = map[vector]float64{}
		p.at = p.mix.total
		p.sorted = append([]class(nil), p.mix.classes...)
	}
	best, least, bestTie := -1, math.Inf(1), math.Inf(1)
	for n := range f.free {
		if !f.fits(n, d) {
			continue
		}
		score := 0.0
		empty := f.tasks[n] == 0
		after := f.free[n]
		for k := range after {
			after[k] -= d.need[k]
		}
		tie := nomadBinpack(f, n, d)
		switch p.mode {
		case 0: // fgd on used
			score = p.frag(after) - p.frag(f.free[n])
			if empty {
				score += 1e12
			}
		case 1:
			score = p.waste(after) - p.waste(f.free[n])
			if empty {
				score += 1e12
			}
		case 2:
			score = p.waste(after) - p.waste(f.free[n])
		case 3:
			score = p.waste(after) - p.waste(f.free[n]) + p.slack*p.big(f.free[n], after)
		case 4:
			score = p.frag(after) - p.frag(f.free[n]) + p.slack*p.big(f.free[n], after)
		case 5:
			score = p.slack * (f.free[n][cpu] - d.need[cpu]) / f.total[n][cpu] 
			score += (p.frag(after) - p.frag(f.free[n]))/d.need[cpu]
		case 6:
			score = p.slack * (f.free[n][cpu] - d.need[cpu]) / f.total[n][cpu] 
			score += (p.waste(after) - p.waste(f.free[n]))/d.need[cpu]
		}
		if score < least-1e-9 || score <= least+1e-9 && tie < bestTie {
			best, least, bestTie = n, score, tie
		}
	}
	return best, -1
}

func (p *valuer) big(before, after vector) float64 { return before[cpu] }

func (p *valuer) frag(r vector) float64 {
	if v, ok := p.memo[r]; ok {
		return v
	}
	s := 0.0
	for i := range p.sorted {
		c := &p.sorted[i]
		if c.d.need[cpu] > r[cpu] || c.d.need[memory] > r[memory] {
			s += c.n
		}
	}
	s = s / p.at * r[cpu]
	p.memo[r] = s
	return s
}

// waste(r) = E[min over ~k sampled] approximated: expected waste where each arrival is
// accepted with the min of k.
func (p *valuer) waste(r vector) float64 {
	if v, ok := p.memo[r]; ok {
		return v
	}
	// collect children
	type ch struct{ w, n float64 }
	v := 0.0
	if r[cpu] > 48000 { // far from full
		p.memo[r] = 0
		return 0
	}
	var list []ch
	for i := range p.sorted {
		c := &p.sorted[i]
		if c.d.need[cpu] > r[cpu] || c.d.need[memory] > r[memory] {
			continue
		}
		a := r
		for k := range a {
			a[k] -= c.d.need[k]
		}
		list = append(list, ch{p.waste(a), c.n})
	}
	if len(list) == 0 {
		p.memo[r] = r[cpu]
		return r[cpu]
	}
	// soft-min: weights n*exp(-w/k)
	lo := math.Inf(1)
	for _, c := range list {
		lo = min(lo, c.w)
	}
	num, den := 0.0, 0.0
	for _, c := range list {
		e := c.n * math.Exp(-(c.w-lo)/p.k)
		num += e * c.w
		den += e
	}
	v = num / den
	p.memo[r] = v
	return v
}
