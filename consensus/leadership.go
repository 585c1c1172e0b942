package consensus

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/cluster"
)

// Leader returns who leads as far as this node knows, "" when nobody does, and
// whether it is this node. It can be out of date: see VerifyLeader.
func (s *Store) Leader() (id cluster.NodeID, isMe bool) {
	isMe = s.raft.State() == raft.Leader
	if isMe {
		return s.cfg.NodeID, true
	}
	_, leader := s.raft.LeaderWithID()
	if leader == raft.ServerID(s.cfg.NodeID) {
		return "", false // it has just stepped down
	}
	return cluster.NodeID(leader), false
}

// Term is raft's current term: it tells two times of the same node's
// leadership apart.
func (s *Store) Term() uint64 { return s.raft.CurrentTerm() }

// LeadershipChanges wakes its reader when the leader, this node's role or the
// leader's set of peers may have changed; the reader asks Leader and Term. Two
// changes can come as one wake-up. The first comes at once. Call stop when done.
func (s *Store) LeadershipChanges() (c <-chan struct{}, stop func()) { return s.leaders.add() }

// TransferLeadership hands leadership to a voter, or to the most up-to-date one
// when id is empty, and returns when this node does not lead any more.
func (s *Store) TransferLeadership(ctx context.Context, id cluster.NodeID) error {
	_, err := s.ask(ctx, func(time.Duration) raft.Future {
		if id == "" {
			return s.raft.LeadershipTransfer()
		}
		return s.raft.LeadershipTransferToServer(raft.ServerID(id), raft.ServerAddress(id))
	})
	if err != nil {
		return fmt.Errorf("transfer leadership to %q: %w", id, err)
	}
	return nil
}

// signals is a set of coalescing wake-up channels.
type signals struct {
	mu   sync.Mutex
	subs map[chan struct{}]struct{}
}

func (s *signals) add() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	poke(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.subs == nil {
		s.subs = map[chan struct{}]struct{}{}
	}
	s.subs[c] = struct{}{}
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subs, c)
	}
}

func (s *signals) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.subs {
		poke(c)
	}
}
