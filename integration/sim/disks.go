package sim

import (
	"time"

	"github.com/musterhq/muster/cluster/state"
)

// A write to a voter's log that does not end within the deadline makes the
// process leave, and it starts again until the disk lets it; see consensus.guard.
const (
	storeDeadline = 5 * time.Second
	storeProbe    = 5 * time.Second
	startAgain    = 2 * time.Second
)

// stuckDisk keeps a voter from writing its log.
func (f *faults) stuckDisk(h *host) {
	if c := h.replica; c != nil && !c.stuck {
		f.w.note("host", string(h.id), "disk hangs", 0)
		c.stuck = true
		// Where nothing is written, a small write tries the disk.
		f.w.after(f.w.between(storeProbe, storeProbe*5/4), func() {
			if c.stuck && h.replica == c {
				c.hangs(h)
			}
		})
		f.undo(f.while(), func() { f.unstick(h) })
	}
}

func (f *faults) unstick(h *host) {
	if c := h.replica; c != nil && c.stuck {
		f.w.note("host", string(h.id), "disk works", 0)
		c.stuck = false
		f.w.raft.connectivity()
	}
}

// hangs is called when a voter has something to write and its disk takes
// nothing: at the deadline the process leaves.
func (c *replica) hangs(h *host) {
	if c.hanging {
		return
	}
	c.hanging = true
	process := h.agent
	h.after(storeDeadline, func() {
		c.hanging = false
		if c.stuck && h.replica == c && h.agent == process && process != nil {
			h.note("its disk hung for too long")
			h.stopAgent()
			h.after(startAgain, h.startAgent)
		}
	})
}

// loseDisk is a host whose disk is gone: what comes in its place is a new node,
// and the old one never answers again.
func (f *faults) loseDisk(h *host) {
	w := f.w
	if len(w.hosts) >= w.cfg.Nodes+maxSpares || !h.power || w.large() {
		return
	}
	h.note("loses its disk")
	h.powerOff()
	h.doomed = true
	for _, o := range w.hosts {
		o.heard = append(o.heard, -1)
	}
	spare := newHost(w, len(w.hosts))
	w.hosts = append(w.hosts, spare)
	w.after(w.between(time.Second, 20*time.Second), func() { f.powerOn(spare) })
}

// maxSpares is how many hosts may come in the place of others.
const maxSpares = 2

// upgrade gives a host's agent the newest release, with a restart.
func (f *faults) upgrade(h *host) {
	if h.power && !h.frozen && h.agent != nil && h.commands < state.Version {
		h.note("is upgraded")
		h.stopAgent()
		h.commands = state.Version
		h.after(f.w.between(200*time.Millisecond, 3*time.Second), h.startAgent)
	}
}

// clockStep sets a host's clock, as it happens when one boots without a battery
// and is corrected later. The agent keeps time by a clock that does not step, so
// that only what it reads at its start is wrong.
func (f *faults) clockStep(h *host) {
	if h.agent == nil || !h.power || h.frozen {
		return
	}
	h.stopAgent()
	h.skew = f.w.between(-30*time.Second, 30*time.Second)
	h.note("its clock is set")
	h.after(f.w.between(200*time.Millisecond, 3*time.Second), h.startAgent)
}

// handOver moves leadership to another voter that has the whole log.
func (f *faults) handOver(*host) {
	r := f.w.raft
	if r.leader == nil {
		return
	}
	for _, v := range r.voters {
		if v != r.leader && v.awake() && v.replica != nil && !v.replica.stuck &&
			v.replica.match == uint64(len(r.log)) && f.w.reaches(r.leader, v) {
			r.transfer(v)
			return
		}
	}
}
