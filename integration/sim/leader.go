package sim

import (
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/health"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/controller"
	"github.com/musterhq/muster/integration/invariants"
)

// term is one term of leadership, as controller's loop runs it: the failure
// detector with its probes, and after the Barrier decide and propose.
type term struct {
	a       *agent
	tracker *health.Tracker
	ids     *ulid.MonotonicEntropy
	caught  bool
	waiting bool // for the outcome of a proposal
	poked   bool
	looking bool // at a view that it has taken
	wake    alarm
	silent  map[cluster.NodeID]bool // whose heartbeat is news; looked up only

	nonvoting map[cluster.NodeID]time.Time // since when; looked up only

	// The last decision that was empty, and until when it has to stay so.
	idle struct {
		known      bool
		index      uint64
		quarantine int
		until      time.Time
	}
	skipped int
}

// Pauses after a decision that did not take, as controller.loop has them.
const (
	proposeTimeout = 5 * time.Second
	lookTime       = 50 * time.Microsecond // a node
	refusedPause   = 200 * time.Millisecond
	failedPause    = 500 * time.Millisecond
)

// lead begins a term.
func (a *agent) lead() {
	t := &term{
		a: a, ids: ulid.Monotonic(entropy{a.w.rand}, 0), silent: map[cluster.NodeID]bool{}, nonvoting: map[cluster.NodeID]time.Time{},
		tracker: health.New(health.Config{}, a.h.id, a.h.clock(), a.evidence()),
	}
	a.term = t
	t.passBarrier()
	t.poke()
}

func (a *agent) stopLeading() { a.term = nil }

// after schedules what happens within the term.
func (t *term) after(d time.Duration, do func()) {
	t.a.after(d, func() {
		if t.a.term == t {
			do()
		}
	})
}

func (t *term) passBarrier() {
	t.a.w.raft.barrier(t.a.h, func(err error) {
		t.a.run(func() {
			switch {
			case t.a.term != t:
			case err != nil:
				t.passBarrier()
			default:
				t.caught = true
				t.poke()
				t.keepVoters()
				t.rebalance()
			}
		})
	})
}

// rebalanceEvery is the pace of the leader's own moves, quicker than the real one.
const rebalanceEvery = 20 * time.Second

// rebalance makes the leader's own moves, as controller's chore does.
func (t *term) rebalance() {
	t.after(rebalanceEvery, func() {
		defer t.rebalance()
		v, now := t.a.w.raft.view(t.a.h), t.a.h.clock()
		m := controller.OwnMoves(v, controller.Facts{}, now)
		if version, _ := v.Commands(); len(m.Tasks) == 0 || version < state.Needs(m) {
			return
		}
		t.a.w.note("moves", string(t.a.h.id), string(m.Tasks[0].Task), uint64(len(m.Tasks)))
		t.a.w.raft.propose(t.a.h, state.Command{At: now, Body: m}, func(state.Result, error) {})
	})
}

// poke lets the loop look again.
func (t *term) poke() {
	if !t.poked {
		t.poked = true
		t.after(0, func() {
			t.poked = false
			t.step()
		})
	}
}

// step looks at everything once and acts. While it decides, and while a proposal
// is on its way, the loop takes no other look.
func (t *term) step() {
	switch {
	case t.waiting:
		return
	case t.looking:
		t.poked = true
		return
	}
	w, now := t.a.w, t.a.h.clock()
	v := w.raft.view(t.a.h)
	verdict := t.tracker.Step(v.Nodes(), now)
	clear(t.silent)
	for _, s := range verdict.Suspect {
		t.silent[s.Node] = true
	}
	for n := range v.Nodes() {
		if n.Condition != cluster.Ready {
			t.silent[n.ID] = true
		}
	}
	for _, p := range verdict.Probe {
		t.probe(p)
	}
	if !t.caught {
		t.wakeAt(verdict.Wake)
		return
	}
	if t.idles(v, verdict, now) {
		t.wakeAt(earliest(verdict.Wake, t.idle.until))
		return
	}
	d := w.cfg.Plant.decide(v, controller.Decide(v, controller.Facts{Conditions: verdict.Conditions, Quarantine: verdict.Quarantine}, now, t.newID))
	t.idle.known = d.Empty()
	if d.Empty() {
		t.idle.index, t.idle.until, t.idle.quarantine = v.Index(), d.Wake, len(verdict.Quarantine)
	}
	t.looking = true
	t.after(t.a.w.between(0, time.Duration(len(t.a.w.hosts))*lookTime), func() {
		news := t.poked
		t.looking, t.poked = false, false
		switch {
		case !d.Empty():
			t.propose(now, v, d)
		case news:
			t.poke()
		default:
			t.wakeAt(earliest(verdict.Wake, d.Wake))
		}
	})
}

// idles reports whether the decision must be empty because the last one was and
// nothing that it depends on has changed. Now and then it is made all the same,
// and has to be empty.
func (t *term) idles(v state.View, verdict health.Verdict, now time.Time) bool {
	i := &t.idle
	same := i.known && i.index == v.Index() && len(verdict.Conditions) == 0 && i.quarantine == len(verdict.Quarantine) &&
		(i.until.IsZero() || now.Before(i.until))
	if !same {
		return false
	}
	if t.skipped++; t.skipped%16 == 0 && t.a.w.cfg.Plant == "" {
		if d := controller.Decide(v, controller.Facts{Quarantine: verdict.Quarantine}, now, t.newID); !d.Empty() {
			t.a.w.fail(invariants.Violation{Rule: invariants.NotIdle, Detail: "nothing has changed since an empty decision, and now: " + describe(d.Reconcile)})
		}
	}
	return true
}

// propose proposes what was decided on v.
func (t *term) propose(now time.Time, v state.View, d controller.Decision) {
	w := t.a.w
	w.note("decide", string(t.a.h.id), describe(d.Reconcile), 0)
	w.watch.judged(w.raft.view(t.a.h), d.Conditions)
	t.waiting = true
	told := false
	outcome := func(res state.Result, err error) {
		if !told {
			told = true
			t.proposed(res, err)
		}
	}
	t.after(proposeTimeout, func() { outcome(state.Result{}, errUnknown) })
	version, _ := w.raft.view(t.a.h).Commands()
	w.raft.decided(t.a.h, &v, state.Command{At: now, Body: state.Trim(d.Reconcile, version)}, func(res state.Result, err error) {
		t.a.run(func() {
			if t.a.term == t {
				outcome(res, err)
			}
		})
	})
}

// proposed goes on after a proposal.
func (t *term) proposed(res state.Result, err error) {
	t.waiting = false
	switch {
	case err != nil || res.Err != nil:
		t.wakeAt(t.a.h.clock().Add(failedPause))
	case len(res.Refused) > 0:
		t.a.w.note("refused", string(res.Refused[0].Task), res.Refused[0].Reason, uint64(len(res.Refused)))
		t.wakeAt(t.a.h.clock().Add(refusedPause))
	default:
		t.poke()
	}
}

func (t *term) wakeAt(at time.Time) {
	if at.IsZero() {
		t.wake.stop()
		return
	}
	t.wake.in(at.Sub(t.a.h.clock()), t.after, t.step)
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (t *term) newID() cluster.TaskID {
	return cluster.TaskID(ulid.MustNew(ulid.Timestamp(t.a.h.clock()), t.ids).String())
}

// heartbeat takes in a node's sign of life and answers how new the node's
// assignments are.
func (t *term) heartbeat(from cluster.NodeID, blind bool) position {
	t.tracker.Heartbeat(from, t.a.h.clock())
	t.tracker.Blind(from, blind)
	if h := t.a.w.host(from); h != nil {
		h.lastBeat = t.a.w.now
	}
	if t.silent[from] {
		t.poke()
	}
	r := t.a.w.raft
	return position{r.newest().Epoch(), min(r.touched[from], r.view(t.a.h).Index())}
}

func (t *term) gossipDead(id cluster.NodeID) {
	t.tracker.GossipDead(id, t.a.h.clock())
	t.poke()
}

// probe has a host dialled by everybody whom the detector named.
func (t *term) probe(p health.Probe) {
	w := t.a.w
	target := w.host(p.Node)
	for _, id := range p.By {
		by := w.host(id)
		if target == nil || by == nil {
			continue
		}
		report := func(o health.Outcome) {
			t.tracker.Probed(health.ProbeResult{Node: p.Node, By: id, Round: p.Round, Outcome: o, At: t.a.h.clock()})
			t.poke()
		}
		if by == t.a.h {
			w.dialTries(by, target, p.Tries, p.Timeout, func(o health.Outcome) { t.after(0, func() { report(o) }) })
			continue
		}
		told := false
		once := func(o health.Outcome) {
			if !told {
				told = true
				report(o)
			}
		}
		t.after(time.Duration(p.Tries+1)*p.Timeout, func() { once(0) }) // it could not be asked
		t.a.ask(by, func(_ *agent, answer func(func())) {
			w.dialTries(by, target, p.Tries, p.Timeout, func(o health.Outcome) {
				answer(func() { t.after(0, func() { once(o) }) })
			})
		})
	}
}

// evidence is what a new leader knows of the others; see agent.evidence.
func (a *agent) evidence() health.Evidence {
	var e health.Evidence
	for _, h := range a.w.hosts {
		if at := a.h.heard[h.index]; at >= 0 && h != a.h {
			e.Contacts = append(e.Contacts, health.Contact{Node: h.id, At: start.Add(at + a.h.skew)})
		}
	}
	if a.leader != nil && a.leader != a.h {
		e.Probes = append(e.Probes, health.ProbeResult{
			Node: a.leader.id, By: a.h.id, Outcome: a.w.dial(a.h, a.leader), At: a.h.clock(),
		})
	}
	return e
}

// host finds the host that is the node; nil when it is one no more.
func (w *World) host(id cluster.NodeID) *host {
	for _, h := range w.hosts {
		if h.id == id {
			return h
		}
	}
	return nil
}
