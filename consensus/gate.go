package consensus

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/musterhq/muster/cluster/state"
)

// gate keeps commands that some voter does not know out of the log, where that
// voter would have to stop at them. What a command needs is compared with what
// the voters are recorded to know; what changes that record goes alone.
type gate struct {
	voters sync.RWMutex // held for writing by what may add a voter or age one
	term   atomic.Uint64
}

// admit checks a command against the voters, and holds the voters as they are
// until release. The error is an *OutdatedError, or one of Barrier.
func (s *Store) admit(ctx context.Context, c state.Command) (release func(), err error) {
	if agesVoters(s.View(), c.Body) {
		s.gate.voters.Lock()
		return s.gate.voters.Unlock, nil
	}
	needs := max(c.Version, state.Needs(c.Body))
	if needs <= 1 {
		return func() {}, nil
	}
	// A new leader may not have applied the last change of the voters yet.
	if term := s.raft.CurrentTerm(); s.gate.term.Load() != term {
		if err := s.Barrier(ctx); err != nil {
			return nil, err
		}
		s.gate.term.Store(term)
	}
	s.gate.voters.RLock()
	if knows, oldest := s.View().Commands(); oldest != nil && needs > knows {
		s.gate.voters.RUnlock()
		return nil, &OutdatedError{Node: oldest.Name, Version: oldest.Version}
	}
	return s.gate.voters.RUnlock, nil
}

// agesVoters reports whether a command may make the oldest voter an older one.
func agesVoters(v state.View, b state.Body) bool {
	switch c := b.(type) {
	case state.SetVoter:
		return c.Voter
	case state.UpdateNode:
		n, ok := v.Node(c.ID)
		return ok && c.Commands < n.Commands
	}
	return false
}

// newest tells whoever wants to know of the newest version in the log.
type newest struct {
	raised func(version int) error

	mu   sync.Mutex
	seen int
}

// note is called before a version is in the log.
func (l *newest) note(version int) error {
	if l == nil || l.raised == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if version <= l.seen {
		return nil
	}
	if err := l.raised(version); err != nil {
		return err
	}
	l.seen = version
	return nil
}
