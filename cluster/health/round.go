package health

import (
	"hash/fnv"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
)

// Probe asks the shell to have a node's host dialled.
type Probe struct {
	Node    cluster.NodeID
	Round   uint64           // to be given back in every ProbeResult
	By      []cluster.NodeID // who dials; the leader itself is among them unless it has done so
	Tries   int
	Timeout time.Duration // of each try
}

// round is one probe in flight.
type round struct {
	number  uint64
	started time.Time
	by      []cluster.NodeID
	silent  []cluster.NodeID // who has reported silence
	alive   bool             // somebody reported a living host
}

// report takes in what a prober saw. One that could not be asked saw nothing
// and is waited for no more.
func (r *round) report(by cluster.NodeID, o Outcome) {
	switch {
	case !slices.Contains(r.by, by):
	case o.Lives():
		r.alive = true
	case o != Silent:
		r.by = slices.DeleteFunc(r.by, func(id cluster.NodeID) bool { return id == by })
	case !slices.Contains(r.silent, by):
		r.silent = append(r.silent, by)
	}
}

// finished gives the round's verdict; ok is false while it is open. Nobody is
// waited for after the deadline, and no prober that may itself be dead; but
// without the leader's own dial there is no verdict of death.
func (r *round) finished(t *Tracker, now time.Time) (v verdict, ok bool) {
	if r.alive {
		return lives, true
	}
	late := !now.Before(r.started.Add(t.cfg.roundTimeout()))
	if !slices.Contains(r.silent, t.self) {
		return undecided, late
	}
	for _, by := range r.by {
		if !late && !slices.Contains(r.silent, by) && !t.mayBeDead(by) {
			return undecided, false
		}
	}
	return silent, true
}

func (t *Tracker) mayBeDead(id cluster.NodeID) bool {
	s, ok := t.nodes[id]
	return !ok || !s.suspect.IsZero() && s.verdict != lives
}

// startRound opens a round on the node. What the leader itself dialled shortly
// before its term counts as its own report, and then one try of the others is
// enough.
// ok is false when nobody needs to be asked any more.
func (t *Tracker) startRound(id cluster.NodeID, s *signals, probers []cluster.NodeID, now time.Time) (p Probe, ok bool) {
	t.rounds++
	r := &round{number: t.rounds, started: now, by: append([]cluster.NodeID{t.self}, t.pick(probers, id)...)}
	p = Probe{Node: id, Round: r.number, By: slices.Clone(r.by), Tries: t.cfg.ProbeTries, Timeout: t.cfg.ProbeTimeout}
	for _, d := range s.dials {
		if d.By == t.self {
			p.By, p.Tries = p.By[1:], 1
		}
		r.report(d.By, d.Outcome)
	}
	s.dials, s.round, s.probed = nil, r, now
	return p, len(p.By) > 0 && !r.alive
}

// pick chooses the nodes that dial id besides the leader. Neighbouring rounds
// ask different nodes.
func (t *Tracker) pick(probers []cluster.NodeID, id cluster.NodeID) []cluster.NodeID {
	total := uint64(len(probers))
	if total == 0 {
		return nil
	}
	h := fnv.New32a()
	h.Write([]byte(id))
	start := uint64(h.Sum32()) + t.rounds*uint64(t.cfg.Probers)
	var out []cluster.NodeID
	for i := uint64(0); i < total && len(out) < t.cfg.Probers; i++ {
		if by := probers[(start+i)%total]; by != id {
			out = append(out, by)
		}
	}
	return out
}
