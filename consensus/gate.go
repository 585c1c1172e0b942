package consensus

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/musterhq/muster/cluster/state"
)

// gate keeps commands that some voter does not know out of the log, where that
// voter would have to stop at them. What a command needs is compared with what
// the voters are recorded to know; what changes that record goes alone.
type gate struct {
	// voters is held by each command that needs a version, and as a whole by what
	// may add a voter or age one. Who waits for it does so until its context ends.
	voters *semaphore.Weighted
	term   atomic.Uint64
}

// allVoters is all of gate.voters.
const allVoters = 1 << 30

func newGate() gate { return gate{voters: semaphore.NewWeighted(allVoters)} }

// hold takes n of gate.voters.
func (g *gate) hold(ctx context.Context, n int64) (release func(), err error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultWait)
		defer cancel()
	}
	if err := g.voters.Acquire(ctx, n); err != nil {
		return nil, fmt.Errorf("%w: wait for a change of the voters: %w", ErrUnknown, err)
	}
	return func() { g.voters.Release(n) }, nil
}

// admit checks a command against the voters, and holds the voters as they are
// until release. The error is an *OutdatedError, or one of Barrier.
func (s *Store) admit(ctx context.Context, c state.Command) (release func(), err error) {
	if agesVoters(s.View(), c.Body) {
		return s.gate.hold(ctx, allVoters)
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
	release, err = s.gate.hold(ctx, 1)
	if err != nil {
		return nil, err
	}
	if knows, oldest := s.View().Commands(); oldest != nil && needs > knows {
		release()
		return nil, &OutdatedError{Node: oldest.Name, Version: oldest.Version}
	}
	return release, nil
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
