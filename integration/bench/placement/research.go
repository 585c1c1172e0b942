package main

import (
	"math"
)

type class struct {
	d demand
	n float64
}

type mix struct {
	classes []class
	index   map[demand]int
	total   float64
}

func (m *mix) see(d *demand) int {
	if m.index == nil {
		m.index = map[demand]int{}
	}
	i, ok := m.index[*d]
	if !ok {
		i = len(m.classes)
		m.index[*d] = i
		m.classes = append(m.classes, class{d: *d})
	}
	m.classes[i].n++
	m.total++
	return i
}

// FGD
type fgd struct {
	mix   mix
	kind  int
	known bool
	cur   []float64 // cached
	stamp int
	memo  map[vector]float64
}

func (p *fgd) choose(f *fleet, d *demand) (int, int) {
	if !p.known {
		p.mix.see(d)
	}
	best, bestDelta, bestTie := -1, math.Inf(1), math.Inf(1)
	memo := map[vector]float64{}
	for n := range f.free {
		if !f.fits(n, d) {
			continue
		}
		delta, ok := memo[f.free[n]]
		if !ok {
			after := f.free[n]
			for k := range after {
				after[k] -= d.need[k]
			}
			delta = p.frag(after) - p.frag(f.free[n])
			memo[f.free[n]] = delta
		}
		tie := nomadBinpack(f, n, d)
		if delta < bestDelta-1e-9 || delta <= bestDelta+1e-9 && tie < bestTie {
			best, bestDelta, bestTie = n, delta, tie
		}
	}
	return best, -1
}

func (p *fgd) frag(r vector) float64 {
	s := 0.0
	for i := range p.mix.classes {
		c := &p.mix.classes[i]
		if c.d.need[cpu] > r[cpu] || c.d.need[memory] > r[memory] {
			s += c.n
		}
	}
	return s / p.mix.total * r[p.kind]
}

// slots gradient
type slotter struct {
	mix    mix
	w      int
	total  []float64
	slots  [][]float64
	last   int
	logw   bool
	memo   map[vector]float64
	before [][]float64
}

func slotsOf(r *vector, d *demand) float64 {
	s := math.Inf(1)
	for k := range 2 {
		if d.need[k] > 0 {
			s = min(s, math.Floor(r[k]/d.need[k]))
		}
	}
	return s
}

func (p *slotter) choose(f *fleet, d *demand) (int, int) {
	ci := p.mix.see(d)
	if ci >= len(p.slots) {
		s := make([]float64, len(f.free))
		p.slots = append(p.slots, s)
		p.total = append(p.total, 0)
	}
	// recompute lazily: totals for new class
	if p.mix.classes[ci].n == 1 {
		for n := range f.free {
			v := slotsOf(&f.free[n], d)
			p.slots[ci][n] = v
			p.total[ci] += v
		}
	}
	best, least, bestTie := -1, math.Inf(1), math.Inf(1)
	memo := map[vector]float64{}
	w := make([]float64, len(p.mix.classes))
	for i := range w {
		c := &p.mix.classes[i]
		w[i] = c.n / max(1, p.total[i])
		switch p.w {
		case 1:
			w[i] *= c.d.need[cpu]
		case 2:
			w[i] = c.d.need[cpu] / max(1, p.total[i])
		}
	}
	for n := range f.free {
		if !f.fits(n, d) {
			continue
		}
		score, ok := memo[f.free[n]]
		if !ok {
			after := f.free[n]
			for k := range after {
				after[k] -= d.need[k]
			}
			for i := range p.mix.classes {
				if b := p.slots[i][n]; b > 0 {
					score += w[i] * (b - slotsOf(&after, &p.mix.classes[i].d))
				}
			}
			memo[f.free[n]] = score
		}
		tie := nomadBinpack(f, n, d)
		if score < least-1e-9 || score <= least+1e-9 && tie < bestTie {
			best, least, bestTie = n, score, tie
		}
	}
	if best >= 0 {
		after := f.free[best]
		for k := range after {
			after[k] -= d.need[k]
		}
		for i := range p.mix.classes {
			v := slotsOf(&after, &p.mix.classes[i].d)
			p.total[i] += v - p.slots[i][best]
			p.slots[i][best] = v
		}
	}
	return best, -1
}
