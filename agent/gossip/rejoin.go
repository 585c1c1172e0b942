package gossip

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"
	"time"
)

const (
	rejoinMin = time.Second
	rejoinMax = 15 * time.Second
	// rejoinBatch bounds the dials of one round, and rejoinMin separates
	// rounds: reaching one member of the other side brings all of it.
	rejoinBatch = 3
)

// Peer is a member as replicated state knows it.
type Peer struct {
	ID   string
	Addr string // "ip:port" of its gossip
	Up   bool   // the cluster hears of it, whatever gossip does
}

// RejoinState is what [NextRejoin] remembers between rounds.
type RejoinState struct {
	seed     uint64 // makes each node dial in an order of its own
	notUntil time.Time
	retries  map[string]retry // of the missing peers
}

type retry struct {
	due  time.Time
	wait time.Duration // since the last dial; 0 before the first
	up   bool          // as the peer was last seen
}

// RejoinPlan is the answer of [NextRejoin].
type RejoinPlan struct {
	Dial  []Peer
	State RejoinState
	Wake  time.Time // ask again then, or when peers or members changed; zero: nobody is missing
}

func newRejoinState(nodeID string) RejoinState {
	return RejoinState{seed: hashOf(0, nodeID)}
}

// NextRejoin decides whom to dial: peers that gossip does not hear of, those
// first that have waited longest, each after 1 s, 2 s, 4 s... up to 15 s. A
// peer counts from the start again once it was heard of, and a second after the
// cluster found it up: gossip, which forgets its dead, mostly brings it by then.
func NextRejoin(known []Peer, members []Member, now time.Time, state RejoinState) RejoinPlan {
	missing := missingPeers(known, members)
	next := RejoinState{seed: state.seed, notUntil: state.notUntil, retries: make(map[string]retry, len(missing))}
	var due []Peer
	for _, p := range missing {
		r, seen := state.retries[p.ID]
		switch {
		case !seen:
			r.due = now
		case p.Up && !r.up:
			r = retry{due: now.Add(rejoinMin)}
		}
		r.up = p.Up
		next.retries[p.ID] = r
		if !r.due.After(now) {
			due = append(due, p)
		}
	}
	slices.SortFunc(due, func(a, b Peer) int {
		return cmp.Or(
			next.retries[a.ID].due.Compare(next.retries[b.ID].due),
			cmp.Compare(hashOf(state.seed, a.ID), hashOf(state.seed, b.ID)),
			strings.Compare(a.ID, b.ID),
		)
	})
	if now.Before(state.notUntil) {
		due = nil
	}
	due = due[:min(len(due), rejoinBatch)]
	for _, p := range due {
		wait := min(max(2*next.retries[p.ID].wait, rejoinMin), rejoinMax)
		next.retries[p.ID] = retry{due: now.Add(wait), wait: wait, up: p.Up}
		next.notUntil = now.Add(rejoinMin)
	}
	return RejoinPlan{Dial: due, State: next, Wake: next.wake()}
}

// missingPeers returns each known peer that no member stands for, once.
func missingPeers(known []Peer, members []Member) []Peer {
	skip := make(map[string]bool, len(members)+len(known))
	for _, m := range members {
		if m.Alive {
			skip[m.ID] = true
		}
	}
	var out []Peer
	for _, p := range known {
		if p.ID != "" && p.Addr != "" && !skip[p.ID] {
			skip[p.ID] = true
			out = append(out, p)
		}
	}
	return out
}

func (s RejoinState) wake() (at time.Time) {
	for _, r := range s.retries {
		if at.IsZero() || r.due.Before(at) {
			at = r.due
		}
	}
	if !at.IsZero() && at.Before(s.notUntil) {
		at = s.notUntil
	}
	return at
}

func hashOf(seed uint64, id string) uint64 {
	h := fnv.New64a()
	var b [8]byte
	for i := range b {
		b[i] = byte(seed >> (8 * i))
	}
	_, _ = h.Write(b[:])
	_, _ = h.Write([]byte(id))
	return h.Sum64()
}
