package sim

import (
	"time"

	"github.com/musterhq/muster/runtime"
)

// faults befall hosts, agents, engines, links and disks. Each ends by itself
// after a while, or when everything heals.
type faults struct {
	w     *World
	pace  time.Duration // mean time between two
	kinds []func(*host)
}

func newFaults(w *World) *faults {
	f := &faults{w: w, pace: w.between(3*time.Second, 25*time.Second)}
	all := []func(*host){
		f.crash, f.crash, f.isolate, f.cut, f.freeze, f.killAgent, f.killAgent, f.hangAgent,
		f.hangEngine, f.restartEngine, f.killContainer, f.killContainer, f.removeContainer, f.stuckDisk, f.flap,
		f.partition, f.flutter, f.registryDown, f.loseDisk, f.clockStep, f.handOver, f.blackout,
	}
	if w.mixed {
		f.kinds = append(f.kinds, f.upgrade, f.upgrade)
	}
	// Every world has its own mix of faults.
	for _, kind := range all {
		if w.chance(0.6) {
			f.kinds = append(f.kinds, kind)
		}
	}
	return f
}

func (f *faults) work() {
	if len(f.kinds) == 0 {
		return
	}
	f.w.after(f.w.between(f.pace/4, 2*f.pace), func() {
		if f.w.quiet {
			return
		}
		victim := pick(f.w, f.w.hosts)
		if l := f.w.raft.leader; l != nil && f.w.chance(0.2) {
			victim = l
		}
		pick(f.w, f.kinds)(victim)
		f.work()
	})
}

// for a while: mostly short, at times long.
func (f *faults) while() time.Duration {
	if f.w.chance(0.2) {
		return f.w.between(10*time.Second, 90*time.Second)
	}
	return f.w.between(300*time.Millisecond, 12*time.Second)
}

// until undoes a fault later, unless everything healed before.
func (f *faults) undo(after time.Duration, do func()) {
	f.w.after(after, func() {
		if !f.w.quiet {
			do()
		}
	})
}

func (f *faults) crash(h *host) {
	if !h.power {
		return
	}
	h.powerOff()
	if f.w.chance(0.15) {
		h.doomed = true // it never comes back, if the others can do without it
		return
	}
	f.undo(f.while(), func() { f.powerOn(h) })
}

// blackout takes the power of all hosts at the instant at which something is
// committed: what counted has to be on the disks.
func (f *faults) blackout(*host) {
	f.w.raft.next = func() {
		if f.w.quiet {
			return
		}
		for _, h := range f.w.hosts {
			if h.power {
				h.powerOff()
				f.undo(f.w.between(time.Second, 12*time.Second), func() { f.powerOn(h) })
			}
		}
	}
}

func (f *faults) powerOn(h *host) {
	if !h.power && !h.doomed {
		h.powerOn()
	}
}

// flap lets a host die and come back several times.
func (f *faults) flap(h *host) {
	for i := range time.Duration(2 + f.w.rand.IntN(4)) {
		at := i * 12 * time.Second
		f.undo(at, func() {
			if h.power {
				h.powerOff()
			}
		})
		f.undo(at+f.w.between(3*time.Second, 6*time.Second), func() { f.powerOn(h) })
	}
}

func (f *faults) freeze(h *host) {
	h.freeze(true)
	f.undo(f.while(), func() { h.freeze(false) })
}

func (f *faults) killAgent(h *host) {
	if !h.power || h.frozen || h.agent == nil {
		return
	}
	h.stopAgent()
	h.after(f.while(), h.startAgent)
}

func (f *faults) hangAgent(h *host) {
	if a := h.agent; a != nil {
		a.hang(true)
		f.undo(f.while(), func() { a.hang(false) })
	}
}

func (f *faults) hangEngine(h *host) {
	h.engine.hang(true)
	f.undo(f.while(), func() { h.engine.hang(false) })
}

func (f *faults) restartEngine(h *host) {
	if h.power {
		h.engine.restart(f.w.chance(0.5))
	}
}

func (f *faults) container(h *host) *container {
	if len(h.engine.containers) == 0 || !h.power {
		return nil
	}
	return pick(f.w, h.engine.containers)
}

func (f *faults) killContainer(h *host) {
	if c := f.container(h); c != nil {
		h.engine.die(c, pick(f.w, []int{0, 1, 137}))
	}
}

// removeContainer is somebody with docker rm -f.
func (f *faults) removeContainer(h *host) {
	if c := f.container(h); c != nil && c.Status != runtime.StatusRemoving {
		h.engine.die(c, 137)
		h.engine.forget(c)
	}
}

// heal ends all faults. Hosts that are doomed stay dead, as long as the voters
// that are left are a majority.
func (w *World) heal() {
	if w.failure != nil {
		return
	}
	w.quiet = true
	w.note("heal", "", "", 0)
	clear(w.cut)
	w.spareVoters()
	f := &faults{w: w}
	f.setRegistry(true)
	for _, h := range w.hosts {
		f.unstick(h)
		h.isolate(false)
		h.freeze(false)
		h.engine.hang(false)
		if h.agent != nil {
			h.agent.hang(false)
		}
		if !h.power && !h.doomed {
			h.powerOn()
		}
		if h.power && h.agent == nil {
			h.after(w.between(time.Second, 5*time.Second), h.startAgent)
		}
	}
	w.raft.connectivity()
}

func (w *World) spareVoters() {
	dead := 0
	for _, v := range w.raft.voters {
		if v.doomed {
			dead++
		}
	}
	for _, v := range w.raft.voters {
		if v.doomed && 2*dead >= len(w.raft.voters) {
			v.doomed = false
			dead--
		}
	}
}
