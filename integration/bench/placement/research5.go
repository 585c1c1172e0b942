package main

import "math"

type fvar struct {
	mix               mix
	slack, slack2     float64
	norm, vol, absent bool
	alpha             float64
	memo              map[vector]float64
	at, mean          float64
	top               float64
	cls               []class
}

func (p *fvar) frag(r vector) float64 {
	if v, ok := p.memo[r]; ok {
		return v
	}
	s := 0.0
	for i := range p.cls {
		c := &p.cls[i]
		if c.d.need[cpu] > r[cpu] || c.d.need[memory] > r[memory] {
			s += c.n
		}
	}
	s = s * r[cpu]
	p.memo[r] = s
	return s
}

func (p *fvar) choose(f *fleet, d *demand) (int, int) {
	p.mix.see(d)
	if p.memo == nil || p.mix.total > p.at*1.3 {
		p.memo = map[vector]float64{}
		p.at = p.mix.total
		p.cls = append([]class(nil), p.mix.classes...)
		t, v := 0.0, 0.0
		for i := range p.cls {
			p.cls[i].n /= p.at
			v += p.cls[i].n * p.cls[i].d.need[cpu]
		}
		p.mean = v
		for i := range p.cls {
			if p.vol {
				p.cls[i].n *= math.Pow(p.cls[i].d.need[cpu]/v, p.alpha)
			}
			t += p.cls[i].n
		}
		for i := range p.cls {
			p.cls[i].n /= t
		}
		for n := range f.total {
			p.top = max(p.top, f.total[n][cpu])
		}
	}
	div := p.mean
	if p.norm {
		div = d.need[cpu]
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
		score := (p.frag(after)-p.frag(f.free[n]))/div + p.slack*after[cpu]/f.total[n][cpu] + p.slack2*after[cpu]/p.top
		tie := nomadBinpack(f, n, d)
		if score < least-1e-9 || score <= least+1e-9 && tie < bestTie {
			best, least, bestTie = n, score, tie
		}
	}
	return best, -1
}
