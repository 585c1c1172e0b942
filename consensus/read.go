package consensus

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"
)

// Confirm returns nil when View holds every change that anybody was told of
// before the call: this node leads, and a quorum has answered a request that
// it sent after the call. Calls that come together share one round of requests,
// and nothing is written. An error says nothing of View but that it may be old.
func (s *Store) Confirm(ctx context.Context) error {
	r, err := s.joinRound()
	if err != nil {
		return fmt.Errorf("confirm the leadership: %w", err)
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return fmt.Errorf("confirm the leadership: %w", ctx.Err())
	}
}

// rounds are the confirmations of a leader, one at a time. A call may only be
// answered by a round that began after it, so that it waits for the next one.
type rounds struct {
	mu      sync.Mutex
	running bool
	next    *round
}

type round struct {
	done chan struct{}
	err  error // once done
}

func (s *Store) joinRound() (*round, error) {
	s.rounds.mu.Lock()
	defer s.rounds.mu.Unlock()
	if !s.rounds.running {
		if err := s.begin(); err != nil {
			return nil, err
		}
		s.rounds.running = true
		go s.runRounds()
	}
	if s.rounds.next == nil {
		s.rounds.next = &round{done: make(chan struct{})}
	}
	return s.rounds.next, nil
}

// runRounds ends when nobody waits for another.
func (s *Store) runRounds() {
	defer s.calls.Done()
	for {
		s.rounds.mu.Lock()
		r := s.rounds.next
		s.rounds.next = nil
		s.rounds.running = r != nil
		s.rounds.mu.Unlock()
		if r == nil {
			return
		}
		r.err = s.confirm()
		close(r.done)
	}
}

// confirm is one round. Raft's own check counts an answer that was on its way
// before it was asked: a leader that was stopped for a while and goes on finds
// such answers waiting, from before it was replaced. What counts here is when
// the request went out that a follower answered.
func (s *Store) confirm() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*s.cfg.Tuning.Lease)
	defer cancel()
	begun, term := s.trans.progress.tick(), s.Term()
	if err := s.passBarrier(ctx, term); err != nil {
		return err
	}
	for {
		if err := s.VerifyLeader(ctx); err != nil {
			return err
		}
		if s.Term() != term {
			return fmt.Errorf("confirm the leadership: %w", &NotLeaderError{})
		}
		if s.answeredSince(begun, term) {
			return nil
		}
	}
}

// passBarrier makes the View of a leader hold what was committed before its
// term; once a term is enough.
func (s *Store) passBarrier(ctx context.Context, term uint64) error {
	if s.barrier.Load() == term {
		return nil
	}
	if err := s.Barrier(ctx); err != nil {
		return err
	}
	if s.Term() == term {
		s.barrier.Store(term)
	}
	return nil
}

// answeredSince reports whether a majority of the voters, this one among them,
// has answered requests of the term that were sent after the tick begun.
func (s *Store) answeredSince(begun, term uint64) bool {
	voters, answered := 0, 0
	for _, m := range s.Servers() {
		if !m.Voter {
			continue
		}
		voters++
		p, ok := s.trans.progress.of(m.ID, term)
		if m.ID == s.cfg.NodeID || ok && p.asked > begun {
			answered++
		}
	}
	return answered > voters/2
}

// tick orders what happens here, without a clock.
func (p *progress) tick() uint64 { return p.ticks.Add(1) }

// answered notes that the peer has answered a request that was sent at the tick.
func (p *progress) answered(id raft.ServerID, term, sent uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if peer, ok := p.peers[id]; ok && p.term == term && sent > peer.asked {
		peer.asked = sent
		p.peers[id] = peer
	}
}
