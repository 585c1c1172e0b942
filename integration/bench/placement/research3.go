package main

import "math"

type scarce struct {
	mix    mix
	slack  float64
	lambda float64
	pow    float64
	useK   bool
	abs    bool
	slots  [][]float64
	total  []float64
	free   float64
	init   bool
	fail   bool
}

func (p *scarce) choose(f *fleet, d *demand) (int, int) {
	if !p.init {
		p.init = true
		for n := range f.free {
			p.free += f.free[n][cpu]
		}
	}
	ci := p.mix.see(d)
	fit := func(r *vector, c *demand) float64 {
		s := slotsOf(r, c)
		if p.useK {
			s = min(s, 1)
		}
		return s
	}
	if p.mix.classes[ci].n == 1 {
		s := make([]float64, len(f.free))
		t := 0.0
		for n := range f.free {
			s[n] = fit(&f.free[n], d)
			t += s[n]
		}
		p.slots, p.total = append(p.slots, s), append(p.total, t)
	}
	mean := 0.0
	for i := range p.mix.classes {
		c := &p.mix.classes[i]
		mean += c.n * c.d.need[cpu] / p.mix.total
	}
	w := make([]float64, len(p.mix.classes))
	for i := range w {
		rho := p.mix.classes[i].n / p.mix.total * p.free / mean / max(1, p.total[i])
		w[i] = p.lambda * math.Pow(rho, p.pow) 
	}
	best, least, bestTie := -1, math.Inf(1), math.Inf(1)
	memo := map[vector]float64{}
	for n := range f.free {
		if !f.fits(n, d) {
			continue
		}
		score, ok := memo[f.free[n]]
		after := f.free[n]
		for k := range after {
			after[k] -= d.need[k]
		}
		if !ok {
			lost, f0 := 0.0, 0.0
			for i := range p.mix.classes {
				c := &p.mix.classes[i]
				b := p.slots[i][n]
				if b == 0 {
					f0 += c.n
					continue
				}
				a := fit(&after, &c.d)
				if a == 0 {
					lost += c.n
				}
				score += w[i] * (b - a)
			}
			f0 /= p.mix.total
			lost /= p.mix.total
			score += ((f0+lost)*after[cpu] - f0*f.free[n][cpu]) / d.need[cpu]
			memo[f.free[n]] = score
		}
		if p.abs {
			score += p.slack * after[cpu] / 128000
		} else {
			score += p.slack * after[cpu] / f.total[n][cpu]
		}
		tie := nomadBinpack(f, n, d)
		if score < least-1e-9 || score <= least+1e-9 && tie < bestTie {
			best, least, bestTie = n, score, tie
		}
	}
	if best < 0 {
		if !p.fail {
			p.fail = true
			//fmt.Println("first fail", *d, p.mix.total)
		}
		return best, -1
	}
	after := f.free[best]
	for k := range after {
		after[k] -= d.need[k]
	}
	p.free -= d.need[cpu]
	for i := range p.mix.classes {
		v := fit(&after, &p.mix.classes[i].d)
		p.total[i] += v - p.slots[i][best]
		p.slots[i][best] = v
	}
	return best, -1
}
