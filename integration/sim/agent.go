package sim

import (
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// agent is one process of the daemon: its line to the leader, the feed that it
// follows, the worker, and on a voter what follows from leading.
type agent struct {
	w      *World
	h      *host
	dead   bool
	hung   bool
	hungAt []func() // what was due while it hung

	leader  *host // as it knows
	told    position
	cutOff  bool          // the last heartbeat failed
	removed time.Duration // since when it is told that it is no member; -1: it is one
	beats   alarm
	feed    feed
	table   state.View // what its balancer's table is made from
	work    *work
	report  *reporter
	term    *term // while it leads

	misses    int // pings of the engine in a row
	engineErr string
	announced bool
}

// position says how new a state is, as agent.position.
type position struct{ epoch, index uint64 }

func (p position) before(o position) bool {
	return p.epoch < o.epoch || p.epoch == o.epoch && p.index < o.index
}

func positionOf(v state.View) position { return position{v.Epoch(), v.Index()} }

// Paces of the agent, as agent/uplink.go and agent/host.go have them.
const (
	heartbeatEvery   = 500 * time.Millisecond
	heartbeatTimeout = time.Second
	heartbeatRetry   = 100 * time.Millisecond
	engineEvery      = 2 * time.Second
	engineDeadline   = 2 * time.Second
	engineMisses     = 3
	callTimeout      = 10 * time.Second
)

func newAgent(h *host) *agent {
	a := &agent{w: h.w, h: h, removed: -1}
	a.work, a.report = newWork(a), newReporter(a)
	a.feed.at = position{a.work.set.Epoch, a.work.set.Index}
	a.feed.a, a.feed.since = a, h.w.now
	return a
}

// start begins everything that an agent does.
func (a *agent) start() {
	a.w.raft.restart(a.h)
	a.work.start()
	a.follow()
	a.feed.choose(nil)
	a.after(0, a.beat)
	a.after(0, a.ping)
	a.announce()
}

// after schedules what this process does.
func (a *agent) after(d time.Duration, do func()) { a.h.after(d, func() { a.run(do) }) }

// run does it now, or when the process goes on.
func (a *agent) run(do func()) {
	switch {
	case a.dead:
	case a.hung:
		a.hungAt = append(a.hungAt, do)
	default:
		do()
	}
}

// hang stops the process, as SIGSTOP does.
func (a *agent) hang(on bool) {
	if a.hung == on {
		return
	}
	a.hung = on
	if on {
		a.h.note("agent hangs")
	} else {
		a.h.note("agent goes on")
	}
	a.w.raft.connectivity()
	for !a.hung && !a.dead && len(a.hungAt) > 0 {
		do := a.hungAt[0]
		a.hungAt = a.hungAt[1:]
		do()
	}
}

// ask sends a call to another host's agent. serve runs there and may answer
// once; the answer runs here. What is lost on the way is never heard of.
func (a *agent) ask(to *host, serve func(b *agent, answer func(func()))) {
	w := a.w
	answer := func(then func()) {
		w.after(w.delay(), func() {
			if !a.dead && (w.linked(to, a.h) || a.h.frozen) {
				a.h.run(func() { a.run(then) })
			}
		})
	}
	w.after(w.delay(), func() {
		b := to.agent
		if b != nil && (w.linked(a.h, to) || to.frozen) {
			to.run(func() { b.run(func() { serve(b, answer) }) })
		}
	})
}

// call proposes a command through the leader; done is called once. An error
// leaves open whether it was or will be applied.
func (a *agent) call(body state.Body, request string, done func(state.Result, error)) {
	told := false
	tell := func(res state.Result, err error) {
		if !told {
			told = true
			done(res, err)
		}
	}
	l := a.w.toLeader(a.h)
	if l == nil {
		a.after(a.w.between(time.Millisecond, time.Second), func() { tell(state.Result{}, errNotLeader) })
		return
	}
	a.after(callTimeout, func() { tell(state.Result{}, errUnknown) })
	a.ask(l, func(b *agent, answer func(func())) {
		c := state.Command{Request: request, At: b.h.clock(), Body: a.w.trimmed(b.h, body), Version: a.w.versionOf(request)}
		a.w.raft.propose(b.h, c, func(res state.Result, err error) {
			answer(func() { tell(res, err) })
		})
	})
}

// trimmed is what a voter proposes of what an agent saw, and of its host: without
// what some voter does not know yet, as server.nodeObserve and nodeUpdate do.
func (w *World) trimmed(at *host, b state.Body) state.Body {
	version, _ := w.raft.view(at).Commands()
	switch b := b.(type) {
	case state.Observe:
		return state.Trim(b, version)
	case state.UpdateNode:
		return state.Trim(b, version)
	}
	return b
}

// versionOf is what a request needs: in a mixed world, some need the newest
// release.
func (w *World) versionOf(request string) int {
	if w.mixed && request != "" && request[len(request)-1]%4 == 0 {
		return state.Version
	}
	return 0
}

// beat sends one heartbeat; see agent.uplink.
func (a *agent) beat() {
	over := false
	next := func(in time.Duration) {
		if !over {
			over = true
			a.beats.in(in, a.after, a.beat)
		}
	}
	a.beats.in(heartbeatTimeout, a.after, func() {
		a.cutOff = true
		next(heartbeatRetry)
	})
	l := a.w.toLeader(a.h)
	if l == nil || a.leader != nil && !a.w.reaches(a.h, a.leader) {
		return // it waits for somebody who does not answer
	}
	blind := a.blind()
	a.ask(l, func(b *agent, answer func(func())) {
		_, known := a.w.raft.view(b.h).Node(a.h.id)
		if !known {
			answer(func() { a.noteRemoval(true) })
			return
		}
		told := b.heartbeat(a.h.id, blind)
		answer(func() {
			a.noteRemoval(false)
			if a.told.before(told) {
				a.told = told
			}
			if a.setLeader(l) || a.cutOff {
				a.report.resend()
			}
			a.cutOff = false
			next(heartbeatEvery)
		})
	})
}

// blind reports whether the agent has yet to see its containers or to tell of
// them; see worker.Blind.
func (a *agent) blind() bool {
	return !a.work.known || !a.work.engineUp || len(a.report.pending()) > 0
}

func (a *agent) setLeader(l *host) bool {
	changed := a.leader != l
	a.leader = l
	return changed
}

// hearOfLeader brings word of a new leader through the feed, if that is up.
func (a *agent) hearOfLeader() {
	a.after(a.w.between(time.Millisecond, 500*time.Millisecond), func() {
		if a.w.toLeader(a.h) != nil {
			a.newLeader(a.w.raft.leader)
		}
	})
}

// newLeader ends a heartbeat that may be waiting for a dead leader.
func (a *agent) newLeader(l *host) {
	if a.setLeader(l) {
		if a.h.replica != nil {
			a.report.resend()
		}
		a.beat()
	}
}

// ping watches the engine; see agent.watchEngine.
func (a *agent) ping() {
	e := a.h.engine
	e.call(a.w.between(time.Millisecond, 10*time.Millisecond), engineDeadline, func() error { return nil }, func(err error) {
		a.run(func() {
			if err == nil {
				a.misses = 0
				a.setEngineError("")
			} else if a.misses++; a.misses >= engineMisses {
				a.setEngineError("does not answer")
			}
			a.after(engineEvery, a.ping)
		})
	})
}

func (a *agent) setEngineError(s string) {
	if a.engineErr != s {
		a.engineErr, a.announced = s, false
		a.announce()
	}
}

// announce tells the leader what this host is, until it has heard it.
func (a *agent) announce() {
	h, said := a.h, a.engineErr
	update := state.UpdateNode{
		ID: h.id, Address: h.address, APIPort: 7070, GossipPort: 7071, OS: "linux", Arch: "amd64",
		Commands: h.commands, Capacity: h.capacity, EngineError: said, Devices: h.devices,
	}
	if h.commands >= state.NetworksSince {
		update.NetworkKey, update.NetworkPort = "key-"+string(h.id), 7072
	}
	a.call(update, "", func(_ state.Result, err error) {
		if err == nil && said == a.engineErr {
			a.announced = true
		}
		if !a.announced {
			a.after(heartbeatEvery, func() {
				if !a.announced {
					a.announce()
				}
			})
		}
	})
}

// heartbeat takes in another agent's sign of life, on the leader.
func (a *agent) heartbeat(from cluster.NodeID, blind bool) position {
	if a.term == nil {
		return position{}
	}
	return a.term.heartbeat(from, blind)
}

func (a *agent) gossipDead(h *host) {
	if a.term != nil {
		a.term.gossipDead(h.id)
	}
}
