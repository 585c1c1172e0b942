package main

import "math"

// mover empties the emptiest host when all of its tasks fit elsewhere
type mover struct {
	budget float64
}

func (m *mover) tick(w *world) {
	for {
		best, least := -1, math.Inf(1)
		for n := range w.f.free {
			if t := w.f.tasks[n]; t > 0 && float64(t) < least {
				best, least = n, float64(t)
			}
		}
		if best < 0 || float64(w.moves)+least > m.budget*float64(w.seen) {
			return
		}
		if !m.empty(w, best) {
			return
		}
	}
}

func (m *mover) empty(w *world, h int) bool {
	tasks := append([]int(nil), w.on[h]...)
	var moved []int
	for _, t := range tasks {
		best, least := -1, math.Inf(1)
		d := &w.vms[t].need
		for n := range w.f.free {
			if n == h || !w.f.fits(n, d) {
				continue
			}
			if s := w.f.free[n][memory]; s < least {
				best, least = n, s
			}
		}
		if best < 0 {
			for _, t := range moved {
				w.remove(t)
				w.assign(t, h)
				w.moves--
			}
			return false
		}
		w.move(t, best)
		moved = append(moved, t)
	}
	return true
}
