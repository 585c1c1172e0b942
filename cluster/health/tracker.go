package health

import (
	"time"

	"github.com/musterhq/muster/cluster"
)

// Outcome is what a host did when it was dialled.
type Outcome uint8

// Outcomes of a probe. The zero Outcome is that of a prober that could not be
// asked.
const (
	Silent   Outcome = iota + 1 // nothing came back within the tries
	Refused                     // the host answered that nobody listens
	Accepted                    // the connection was accepted
)

// Lives reports whether the outcome proves that the host itself is alive.
func (o Outcome) Lives() bool { return o == Refused || o == Accepted }

func (o Outcome) String() string {
	switch o {
	case Silent:
		return "silent"
	case Refused:
		return "refused"
	case Accepted:
		return "accepted"
	}
	return "unknown"
}

// ProbeResult is what one prober saw of a node.
type ProbeResult struct {
	Node    cluster.NodeID
	By      cluster.NodeID // the prober
	Round   uint64         // of the Probe that asked for it; 0 in Evidence
	Outcome Outcome
	At      time.Time
}

// Contact is a sign of life of a node that was not a heartbeat to this leader.
type Contact struct {
	Node cluster.NodeID
	At   time.Time
}

// Evidence is what a new leader knows from before its election.
type Evidence struct {
	Contacts []Contact     // raft's last contact, gossip's last answers
	Probes   []ProbeResult // own recent dials: a vote request that found nobody
}

// Tracker holds what one leader has seen of the nodes during its term. It is
// soft state: a new leader makes a new one. Its methods are not safe for
// concurrent use, and times given to them must not go back.
type Tracker struct {
	cfg   Config
	self  cluster.NodeID
	nodes map[cluster.NodeID]*signals

	// resumed is when the term began or the last stall of this process ended:
	// agents need time from there to find the leader (again).
	resumed time.Time
	first   bool      // no Step yet
	wake    time.Time // what the last Step asked for
	called  time.Time // when this tracker was last told or asked something
	rounds  uint64
}

// signals is what is known of one node.
type signals struct {
	since     time.Time // first seen by this tracker
	heartbeat time.Time // last one to this leader; zero before the first
	blind     bool      // as of that
	contact   time.Time // last sign of life from before the term
	hint      time.Time // last word of gossip, or loss of its connection
	dials     []ProbeResult

	suspect time.Time // when suspicion began; zero when there is none
	round   *round    // in flight
	probed  time.Time // start of the last round
	verdict verdict   // of the last finished round of this suspicion

	witnesses int // who found the host silent in that round
	observed  cluster.Condition
	lostAt    time.Time // when observed last turned to down
	flaps     flaps
}

type verdict uint8

const (
	undecided verdict = iota
	lives             // the host answered somebody
	silent            // the host answered nobody
)

// New starts a leader's tracker at the beginning of its term. self is the
// leader's own node, which needs no heartbeat.
func New(cfg Config, self cluster.NodeID, now time.Time, known Evidence) *Tracker {
	t := &Tracker{
		cfg: cfg.withDefaults(), self: self, resumed: now, first: true, called: now,
		nodes: make(map[cluster.NodeID]*signals),
	}
	for _, c := range known.Contacts {
		s := t.node(c.Node, now)
		s.contact = later(s.contact, c.At)
	}
	recent := t.cfg.SuspectAfter + t.cfg.roundTimeout()
	for _, p := range known.Probes {
		if now.Sub(p.At) <= recent {
			s := t.node(p.Node, now)
			s.dials = append(s.dials, p)
		}
	}
	return t
}

// Heartbeat records a heartbeat of the node, which reached the leader at the
// given time, directly or through a voter.
func (t *Tracker) Heartbeat(node cluster.NodeID, at time.Time) {
	t.pass(at)
	s := t.node(node, at)
	s.heartbeat = later(s.heartbeat, at)
	s.calm()
}

// Blind records whether the node's agent has yet to see its containers and to
// tell of them: what is recorded of its tasks may be from before its host died.
// A node that is down is not taken back while it is blind.
func (t *Tracker) Blind(node cluster.NodeID, blind bool) {
	if s, ok := t.nodes[node]; ok {
		s.blind = blind
	}
}

// ConnectionLost records that the node's heartbeat connection broke.
func (t *Tracker) ConnectionLost(node cluster.NodeID, at time.Time) {
	t.pass(at)
	s := t.node(node, at)
	s.hint = later(s.hint, at)
}

// GossipDead records that gossip takes the node for dead. It only hastens a
// probe.
func (t *Tracker) GossipDead(node cluster.NodeID, at time.Time) {
	t.pass(at)
	s := t.node(node, at)
	s.hint = later(s.hint, at)
}

// Probed records one prober's result for a Probe that Step asked for, the zero
// Outcome where it could not be asked. Results of a round that is over are
// ignored.
func (t *Tracker) Probed(r ProbeResult) {
	if s, ok := t.nodes[r.Node]; ok && s.round != nil && s.round.number == r.Round {
		s.round.report(r.By, r.Outcome)
	}
}

// pass notices that this process was not running when it should have been: the
// nodes' silence may be its own. Their agents get their grace again, and what
// was concluded from the silence is dropped.
func (t *Tracker) pass(now time.Time) {
	stalled := !t.wake.IsZero() && now.Sub(later(t.called, t.wake)) >= t.cfg.SuspectAfter
	t.called = later(t.called, now)
	if !stalled {
		return
	}
	t.resumed = now
	for _, s := range t.nodes {
		s.calm()
	}
}

func (t *Tracker) node(id cluster.NodeID, now time.Time) *signals {
	s, ok := t.nodes[id]
	if !ok {
		if t.first { // it was there when the term began
			now = t.resumed
		}
		s = &signals{since: now}
		t.nodes[id] = s
	}
	return s
}

// calm ends a suspicion and everything that was asked because of it.
func (s *signals) calm() {
	s.suspect, s.round, s.verdict, s.dials = time.Time{}, nil, undecided, nil
}

// lastSign is the node's last known sign of life, or when this tracker first
// heard of the node.
func (s *signals) lastSign() time.Time {
	if sign := later(s.heartbeat, s.contact); !sign.IsZero() {
		return sign
	}
	return s.since
}

// suspectAt is when the node becomes suspect if nothing more is heard of it.
func (s *signals) suspectAt(t *Tracker) time.Time {
	switch {
	case len(s.dials) > 0 && s.heartbeat.IsZero():
		return t.resumed
	case s.heartbeat.Before(t.resumed) && !s.since.After(t.resumed):
		return t.resumed.Add(t.cfg.ConnectGrace)
	case s.heartbeat.IsZero():
		return s.since.Add(t.cfg.SuspectAfter)
	case s.hint.After(s.heartbeat):
		return s.heartbeat.Add(t.cfg.HeartbeatEvery)
	default:
		return s.heartbeat.Add(t.cfg.SuspectAfter)
	}
}

// agentDue is when a living host's agent has been silent for long enough to
// call the host away.
func (s *signals) agentDue(t *Tracker) time.Time {
	if began := later(t.resumed, s.since); s.heartbeat.Before(began) {
		return began.Add(t.cfg.ReconnectGrace)
	}
	return s.heartbeat.Add(t.cfg.SuspectAfter)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
