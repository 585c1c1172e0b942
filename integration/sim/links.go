package sim

import "time"

// cut breaks the link between the host and another: both ways, or one.
func (f *faults) cut(h *host) {
	o := pick(f.w, f.w.hosts)
	if o == h {
		return
	}
	oneWay := f.w.chance(0.3)
	f.setCut(h, o, true, oneWay)
	f.undo(f.while(), func() { f.setCut(h, o, false, false) })
}

func (f *faults) setCut(from, to *host, on, oneWay bool) {
	what := "link heals"
	if on {
		what = "link cut"
	}
	f.w.note(what, string(from.id), string(to.id), 0)
	f.w.cut[[2]int{from.index, to.index}] = on
	if !oneWay {
		f.w.cut[[2]int{to.index, from.index}] = on
	}
	f.w.raft.connectivity()
}

// partition parts the hosts into two sides. At times one host sees both (a
// bridge), at times packets pass one way, and at times it lasts.
func (f *faults) partition(h *host) {
	w := f.w
	side := map[*host]bool{h: true} // looked up only
	for _, o := range w.hosts {
		if w.chance(0.35) {
			side[o] = true
		}
	}
	bridge := h
	if w.chance(0.6) {
		bridge = nil
	}
	oneWay := w.chance(0.2)
	set := func(on bool) {
		for _, a := range w.hosts {
			for _, b := range w.hosts {
				if side[a] && !side[b] && a != bridge && b != bridge {
					w.cut[[2]int{a.index, b.index}] = on
					w.cut[[2]int{b.index, a.index}] = on && !oneWay
				}
			}
		}
		w.note("partition", string(h.id), map[bool]string{true: "begins", false: "ends"}[on], uint64(len(side)))
		w.raft.connectivity()
	}
	set(true)
	lasts := f.while()
	if w.chance(0.1) {
		lasts = w.cfg.Duration // until everything heals
	}
	f.undo(lasts, func() { set(false) })
}

// flutter cuts a host off for 3 s and lets it be for 5 s, several times.
func (f *faults) flutter(h *host) {
	for i := range time.Duration(2 + f.w.rand.IntN(6)) {
		f.undo(i*8*time.Second, func() { h.isolate(true) })
		f.undo(i*8*time.Second+3*time.Second, func() { h.isolate(false) })
	}
}

func (f *faults) isolate(h *host) {
	h.isolate(true)
	f.undo(f.while(), func() { h.isolate(false) })
}

// registryDown lets no host pull for a while: images come from other hosts, or
// not at all.
func (f *faults) registryDown(*host) {
	f.setRegistry(false)
	f.undo(f.while(), func() { f.setRegistry(true) })
}

func (f *faults) setRegistry(up bool) {
	if f.w.registry != up {
		f.w.registry = up
		f.w.note("registry", "", map[bool]string{true: "up", false: "down"}[up], 0)
	}
}
