package consensus

import (
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// LastContact is when this node last heard from a leader, the zero time for
// never. On a leader it is the time before it led.
func (s *Store) LastContact() time.Time { return s.raft.LastContact() }

// CommitIndex is the newest index that this node knows to be committed.
func (s *Store) CommitIndex() uint64 { return s.raft.CommitIndex() }

// AppliedIndex is the newest index that View includes. A follower whose
// AppliedIndex has reached the leader's CommitIndex can answer for it.
func (s *Store) AppliedIndex() uint64 {
	// Raft's own figure runs ahead of the state machine by what is queued, and
	// the state machine's is behind by the entries that are not commands. Both
	// agree when no command lies between them.
	handed, applied := s.raft.AppliedIndex(), s.fsm.index.Load()
	for i := handed; i > applied; i-- {
		var l raft.Log
		err := s.entries.GetLog(i, &l)
		if errors.Is(err, raft.ErrLogNotFound) {
			break // it is behind a snapshot, which the view includes
		}
		if err != nil || l.Type == raft.LogCommand {
			return max(applied, s.fsm.index.Load())
		}
	}
	return max(handed, applied)
}

// Stats is what people and metrics want to know of a store.
type Stats struct {
	State       string // Leader, Follower, Candidate or Shutdown
	Term        uint64
	Last        uint64 // newest index in the log
	Commit      uint64
	Applied     uint64
	LastContact time.Time
	Voter       bool
	Peers       []Peer // on the leader: its followers, in the configuration's order
}

// Stats returns a momentary picture.
func (s *Store) Stats() Stats {
	st := Stats{
		State: s.raft.State().String(), Term: s.Term(), Last: s.raft.LastIndex(),
		Commit: s.CommitIndex(), Applied: s.AppliedIndex(), LastContact: s.LastContact(),
	}
	_, leads := s.Leader()
	for _, m := range s.Servers() {
		if m.ID == s.cfg.NodeID {
			st.Voter = m.Voter
		} else if leads {
			p, _ := s.trans.progress.of(m.ID, st.Term)
			p.ID = m.ID
			st.Peers = append(st.Peers, p)
		}
	}
	return st
}
