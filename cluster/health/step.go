package health

import (
	"fmt"
	"iter"
	"maps"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// Verdict is what one Step asks for.
type Verdict struct {
	// Conditions differ from the nodes' recorded ones and are to be proposed.
	Conditions []state.NodeCondition
	// Probe is to be dialled now; every result goes to Probed.
	Probe []Probe
	// Suspect lists nodes without a sign of life that are not down, for people.
	Suspect []Suspicion
	// Quarantine says until when flapping nodes take no new task.
	Quarantine map[cluster.NodeID]time.Time
	// Wake is when to call Step again if nothing happens before; zero: never.
	Wake time.Time
}

// Suspicion is why a node is suspect.
type Suspicion struct {
	Node   cluster.NodeID
	Since  time.Time // its last sign of life
	Reason string
}

// Step judges the given nodes, which are those of the newest view, by ID. It
// repeats a condition until the nodes show it.
func (t *Tracker) Step(nodes iter.Seq[*cluster.Node], now time.Time) Verdict {
	t.pass(now)
	s := &step{Tracker: t, now: now}
	for n := range nodes {
		s.list = append(s.list, n)
	}
	s.look()
	s.forgetRemoved()
	s.ask()
	s.mass = s.massLoss()
	s.judge()
	t.first, t.wake = false, s.out.Wake
	return s.out
}

// step is one call of Step. All nodes pass each stage before any enters the
// next, because they are judged together.
type step struct {
	*Tracker
	now     time.Time
	list    []*cluster.Node
	probers []cluster.NodeID // ready and heard of; the leader itself is not among them
	maybe   []cluster.NodeID // were ready before the term, have not connected yet
	mass    bool
	out     Verdict
}

// wakeAt asks for a Step at the given time, if that is still to come.
func (s *step) wakeAt(at time.Time) {
	if at.After(s.now) && (s.out.Wake.IsZero() || at.Before(s.out.Wake)) {
		s.out.Wake = at
	}
}

// look notes conditions and silence.
func (s *step) look() {
	for _, n := range s.list {
		sig := s.node(n.ID, s.now)
		s.lookAtCondition(n, sig)
		switch {
		case n.ID == s.self:
			sig.heartbeat = s.now
			sig.calm()
		case n.Condition == cluster.Down:
			sig.calm() // only a heartbeat brings it back: nothing to ask
		default:
			s.lookAtSilence(n, sig)
		}
	}
}

func (s *step) lookAtCondition(n *cluster.Node, sig *signals) {
	if n.Condition == cluster.Down && sig.observed != cluster.Down && sig.observed != "" {
		sig.lostAt = s.now
	}
	if n.Condition == cluster.Ready && sig.observed == cluster.Down {
		sig.flaps.returned(s.cfg, s.now)
	}
	sig.observed = n.Condition
	if until := sig.flaps.until; until.After(s.now) {
		if s.out.Quarantine == nil {
			s.out.Quarantine = make(map[cluster.NodeID]time.Time)
		}
		s.out.Quarantine[n.ID] = until
		s.wakeAt(until)
	}
}

func (s *step) lookAtSilence(n *cluster.Node, sig *signals) {
	ready := n.Condition == cluster.Ready
	if ready && sig.heartbeat.IsZero() && len(sig.dials) == 0 {
		s.maybe = append(s.maybe, n.ID)
	}
	if at := sig.suspectAt(s.Tracker); at.After(s.now) {
		s.wakeAt(at)
		if ready && !sig.heartbeat.IsZero() {
			s.probers = append(s.probers, n.ID)
		}
		return
	}
	if sig.suspect.IsZero() {
		sig.suspect = s.now
	}
}

// forgetRemoved drops what is known of nodes that are gone.
func (s *step) forgetRemoved() {
	if len(s.nodes) == len(s.list) {
		return
	}
	there := make(map[cluster.NodeID]bool, len(s.list))
	for _, n := range s.list {
		there[n.ID] = true
	}
	maps.DeleteFunc(s.nodes, func(id cluster.NodeID, _ *signals) bool { return !there[id] })
}

// ask closes the rounds of probes that are finished and opens those that are
// due.
func (s *step) ask() {
	if len(s.probers) < s.cfg.Probers {
		s.probers = append(s.probers, s.maybe...)
	}
	for _, n := range s.list {
		sig := s.nodes[n.ID]
		if sig.suspect.IsZero() {
			continue
		}
		s.closeRound(sig)
		s.openRound(n.ID, sig)
		s.closeRound(sig) // what was known before may decide it
		if sig.round == nil {
			s.wakeAt(sig.probed.Add(s.cfg.ReprobeEvery))
		}
	}
}

func (s *step) closeRound(sig *signals) {
	if sig.round == nil {
		return
	}
	v, ok := sig.round.finished(s.Tracker, s.now)
	if !ok {
		s.wakeAt(sig.round.started.Add(s.cfg.roundTimeout()))
		return
	}
	if v != undecided {
		sig.verdict, sig.witnesses = v, len(sig.round.silent)
	}
	sig.round = nil
}

func (s *step) openRound(id cluster.NodeID, sig *signals) {
	again := !sig.probed.Before(sig.suspect) // not the first of this suspicion
	if sig.round != nil || again && sig.probed.Add(s.cfg.ReprobeEvery).After(s.now) {
		return
	}
	if p, ok := s.startRound(id, sig, s.probers, s.now); ok {
		s.out.Probe = append(s.out.Probe, p)
	}
}

func (s *step) judge() {
	for _, n := range s.list {
		sig := s.nodes[n.ID]
		if sig.suspect.IsZero() {
			s.judgeCalm(n, sig)
			continue
		}
		reason := s.judgeSuspect(n, sig)
		s.out.Suspect = append(s.out.Suspect, Suspicion{Node: n.ID, Since: sig.lastSign(), Reason: reason})
	}
}

// judgeCalm takes a node back that sends heartbeats. One that was down has to
// know first what runs on it: its host may have been rebooted, and tasks that
// only seem to run must not count against their replacements.
func (s *step) judgeCalm(n *cluster.Node, sig *signals) {
	fresh := !sig.heartbeat.IsZero() && s.now.Sub(sig.heartbeat) < s.cfg.SuspectAfter && !sig.hint.After(sig.heartbeat)
	switch {
	case n.Condition == cluster.Ready || !fresh:
	case n.Condition == cluster.Down && sig.blind:
		if n.Reason != blindReason {
			s.propose(n, cluster.Down, blindReason)
		}
	default:
		s.propose(n, cluster.Ready, "")
	}
}

const blindReason = "its agent is back and has not told yet what runs there"

// judgeSuspect gives the reason for the suspicion, and proposes what it has
// come to.
func (s *step) judgeSuspect(n *cluster.Node, sig *signals) string {
	silence := fmt.Sprintf("no heartbeat for %s", s.now.Sub(sig.lastSign()).Round(100*time.Millisecond))
	due := sig.agentDue(s.Tracker)
	if n.Condition == cluster.Away {
		// A heartbeat since then counts even if no commit could record it.
		over := later(due, later(n.ConditionSince, sig.heartbeat).Add(s.cfg.AgentTimeout))
		s.wakeAt(over)
		if !over.After(s.now) {
			reason := fmt.Sprintf("its agent has been silent for %s", s.cfg.AgentTimeout)
			s.propose(n, cluster.Down, reason)
			return reason
		}
	}
	switch sig.verdict {
	case lives:
		reason := silence + ", but the host answers: its agent is stopped or hangs"
		if n.Condition == cluster.Ready && !due.After(s.now) {
			s.propose(n, cluster.Away, reason)
		}
		s.wakeAt(due)
		return reason
	case silent:
		return s.judgeSilent(n, sig, silence)
	default:
		return silence + ", asking the host"
	}
}

func (s *step) judgeSilent(n *cluster.Node, sig *signals, silence string) string {
	reason := fmt.Sprintf("%s, and the host answers none of the %d nodes that dialled it", silence, sig.witnesses)
	if sig.witnesses == 1 {
		reason = silence + ", and the host does not answer the leader"
	}
	if over := sig.lastSign().Add(s.cfg.NodeTimeout); s.mass && over.After(s.now) {
		s.wakeAt(over)
		return fmt.Sprintf("%s; held, because more than half of the nodes are silent, until they have been for %s", reason, s.cfg.NodeTimeout)
	}
	s.propose(n, cluster.Down, reason)
	return reason
}

func (s *step) propose(n *cluster.Node, c cluster.Condition, reason string) {
	s.out.Conditions = append(s.out.Conditions, state.NodeCondition{Node: n.ID, Condition: c, Reason: reason})
}

// massLoss reports whether more than half of the nodes that were there a
// moment ago are silent, or went down, together. Then the leader's own network
// is the first suspect.
func (s *step) massLoss() bool {
	missing, base := 0, 0
	for _, n := range s.list {
		sig := s.nodes[n.ID]
		if n.Condition == cluster.Down {
			if !sig.lostAt.IsZero() && s.now.Sub(sig.lostAt) < s.cfg.NodeTimeout {
				missing, base = missing+1, base+1
			}
			continue
		}
		base++
		if !sig.suspect.IsZero() && sig.verdict != lives {
			missing++
		}
	}
	return 2*missing > base
}
