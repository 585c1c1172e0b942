package main

import "math"

// fgd + slack + reservation of slots for scarce classes
type resv struct {
	fvar
	lambda  float64
	z       float64
	weigh   int
	slots   [][]int32
	total   []int
	free    float64
	seen    int
	perNode []float64
}

func (p *resv) choose(f *fleet, d *demand) (int, int) {
	if p.free == 0 {
		for n := range f.free {
			p.free += f.free[n][cpu]
		}
	}
	nc := len(p.mix.classes)
	p.mix.see(d)
	if len(p.mix.classes) > nc {
		s := make([]int32, len(f.free))
		t := 0
		for n := range f.free {
			s[n] = int32(slotsOf(&f.free[n], d))
			t += int(s[n])
		}
		p.slots, p.total = append(p.slots, s), append(p.total, t)
	}
	if p.memo == nil || p.mix.total > p.at*1.3 {
		p.memo = map[vector]float64{}
		p.at = p.mix.total
		p.cls = append([]class(nil), p.mix.classes...)
		v := 0.0
		for i := range p.cls {
			p.cls[i].n /= p.at
			v += p.cls[i].n * p.cls[i].d.need[cpu]
		}
		p.mean = v
		for n := range f.total {
			p.top = max(p.top, f.total[n][cpu])
		}
	}
	// which classes bind
	var bind []int
	T := p.free / p.mean
	for i := range p.mix.classes {
		need := p.mix.classes[i].n / p.mix.total * T
		if p.total[i] > 0 && float64(p.total[i]) <= need+p.z*math.Sqrt(need)+1 {
			bind = append(bind, i)
		}
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
		score := (p.frag(after)-p.frag(f.free[n]))/d.need[cpu] + p.slack*after[cpu]/f.total[n][cpu] + p.slack2*after[cpu]/p.top
		for _, i := range bind {
			c := &p.mix.classes[i].d
			if p.slots[i][n] > 0 {
				lost := float64(p.slots[i][n]) - slotsOf(&after, c)
				switch p.weigh {
				case 0:
					score += p.lambda * lost
				case 1:
					score += p.lambda * lost * c.need[cpu] / p.top
				case 2:
					score += p.lambda * lost * p.mix.classes[i].n / p.mix.total
				}
			}
		}
		tie := nomadBinpack(f, n, d)
		if score < least-1e-9 || score <= least+1e-9 && tie < bestTie {
			best, least, bestTie = n, score, tie
		}
	}
	if best < 0 {
		return best, -1
	}
	after := f.free[best]
	for k := range after {
		after[k] -= d.need[k]
	}
	p.free -= d.need[cpu]
	for i := range p.mix.classes {
		if p.slots[i][best] == 0 {
			continue
		}
		v := int32(slotsOf(&after, &p.mix.classes[i].d))
		p.total[i] += int(v - p.slots[i][best])
		p.slots[i][best] = v
	}
	return best, -1
}
