package sim

import (
	"fmt"
	"time"

	"github.com/musterhq/muster/agent/worker"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// host is a machine: power, a network link, an engine, an agent and a disk.
type host struct {
	w        *World
	index    int
	id       cluster.NodeID
	name     string
	address  string
	capacity cluster.Resources
	devices  []cluster.HostDevice
	labels   map[string]string
	skew     time.Duration // of its clock

	commands int // the newest version of commands that its agent knows
	member   bool
	joins    int // as a new node
	power    bool
	boot     int // counts its starts
	doomed   bool
	isolated bool
	frozen   bool
	frozenAt []func() // what was due meanwhile

	engine  *engine
	agent   *agent   // nil while none runs
	replica *replica // nil on a worker; its log is on disk
	disk    struct {
		set   worker.Set
		known bool
	}

	linked   bool          // with the leader
	changed  time.Duration // when that last changed
	silent   bool          // to everybody
	silentAt time.Duration // when that last changed
	lastBeat time.Duration // when a leader last took its heartbeat

	heard []time.Duration // last contact by gossip with each host, by index; -1: never
}

func newHost(w *World, i int) *host {
	h := &host{
		w: w, index: i, id: cluster.NodeID(fmt.Sprintf("N%02d", i+1)), name: fmt.Sprintf("node%d", i+1),
		address:  fmt.Sprintf("10.0.0.%d", i+1),
		capacity: cluster.Resources{MilliCPU: int64(1+w.rand.IntN(4)) * 1000, Memory: int64(1+w.rand.IntN(4)) << 30},
		labels:   map[string]string{"zone": pick(w, []string{"a", "b", "c"}), "disk": pick(w, []string{"ssd", "hdd"})},
		heard:    make([]time.Duration, max(w.cfg.Nodes, i+1)), commands: state.Version,
	}
	if !w.mixed { // older agents say nothing of these
		h.equip()
	}
	if w.mixed && w.chance(0.5) {
		h.commands = state.Version - 1
	}
	if w.skewed {
		h.skew = w.between(-time.Second, time.Second)
	}
	for j := range h.heard {
		h.heard[j] = -1
	}
	h.engine = newEngine(h)
	return h
}

// equip gives the host disk to reserve, and GPUs.
func (h *host) equip() {
	h.capacity.Disk = int64(h.w.rand.IntN(3)) << 30
	for d := range h.w.rand.IntN(3) {
		h.devices = append(h.devices, cluster.HostDevice{Kind: cluster.DeviceGPU, ID: fmt.Sprintf("g%d", d)})
		h.capacity.MilliGPU += cluster.WholeDevice
	}
}

// clock is the host's own time.
func (h *host) clock() time.Time { return h.w.clock().Add(h.skew) }

// after schedules what happens on this host: not when it was powered off
// meanwhile, and later when it is frozen.
func (h *host) after(d time.Duration, do func()) {
	boot := h.boot
	h.w.after(d, func() {
		if h.power && h.boot == boot {
			h.run(do)
		}
	})
}

func (h *host) run(do func()) {
	if h.frozen {
		h.frozenAt = append(h.frozenAt, do)
		return
	}
	do()
}

// powerOn boots the host: its containers are dead, the engine and the agent
// start, the disk is as it was.
func (h *host) powerOn() {
	h.power, h.boot = true, h.boot+1
	h.note("power on")
	h.engine.start()
	boot := h.startAgent
	if !h.member {
		boot = h.join
	}
	h.after(h.w.between(200*time.Millisecond, 2*time.Second), boot)
	h.w.raft.connectivity()
}

// powerOff is the death of a host: everything on it ends at once.
func (h *host) powerOff() {
	h.note("power off")
	h.stopAgent()
	h.power, h.frozen, h.frozenAt = false, false, nil
	if h.replica != nil {
		h.replica.match, h.replica.hanging = min(h.replica.match, h.replica.synced), false
	}
	h.engine.crash()
	h.w.raft.connectivity()
}

// freeze stops everything on the host, as a paused virtual machine.
func (h *host) freeze(on bool) {
	if h.frozen == on || !h.power {
		return
	}
	h.frozen = on
	if on {
		h.note("freeze")
	} else {
		h.note("thaw")
	}
	h.w.raft.connectivity()
	for !h.frozen && len(h.frozenAt) > 0 {
		do := h.frozenAt[0]
		h.frozenAt = h.frozenAt[1:]
		do()
	}
}

func (h *host) isolate(on bool) {
	if h.isolated == on {
		return
	}
	h.isolated = on
	if on {
		h.note("isolated")
	} else {
		h.note("connected")
	}
	h.w.raft.connectivity()
}

func (h *host) startAgent() {
	if h.replica != nil && h.replica.stuck {
		h.after(startAgain, h.startAgent) // it cannot open its log
		return
	}
	if h.agent == nil && h.member {
		h.agent = newAgent(h)
		h.note("agent starts")
		h.agent.start()
		h.w.raft.connectivity()
	}
}

// stopAgent kills the agent; containers run on.
func (h *host) stopAgent() {
	if h.agent != nil {
		h.note("agent dies")
		h.agent.dead = true
		h.agent = nil
		h.w.raft.connectivity()
	}
}

func (h *host) note(what string) { h.w.note("host", string(h.id), what, 0) }

// awake reports whether an agent works on the host.
func (h *host) awake() bool {
	return h.power && !h.frozen && h.agent != nil && !h.agent.hung
}
