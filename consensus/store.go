package consensus

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/cluster/state"
)

// Store is this node's part in the replicated log. Its methods are safe for
// concurrent use.
type Store struct {
	cfg     Config
	dirty   *hub
	leaders signals
	fsm     *fsm
	guard   *guard
	stores  *stores
	entries *guardedLog // for reading beside raft
	trans   *transport
	raft    *raft.Raft
	gate    gate
	rounds  rounds
	barrier atomic.Uint64 // the last term in which this node passed a barrier

	mu      sync.Mutex
	closing bool
	err     error          // why it failed
	calls   sync.WaitGroup // requests that raft has not answered

	failed     chan struct{}
	stop       sync.Once
	stopped    chan struct{} // raft and its transport have ended
	supervised chan struct{} // supervise has returned
	heralded   chan struct{} // spreadCommits has returned
	tried      chan struct{} // tryDisk has returned
}

// Open opens the node's store and starts raft. An empty store waits to be
// bootstrapped or to be added by a leader. Errors match ErrLocked, ErrStoreFull,
// ErrStoreLost (nothing was started), ErrIncompatible, ErrStoreHung, or ErrStoreBroken (as *BrokenError: the files
// were moved aside, so that the next Open finds none).
func Open(cfg Config) (*Store, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s, err := open(cfg)
	if err == nil {
		return s, nil
	}
	_ = cfg.Listener.Close() // the reason is err
	if cfg.Memory == nil && damaged(err) {
		return nil, setAside(cfg.DataDir, err)
	}
	if full(err) && !errors.Is(err, ErrStoreFull) {
		err = fmt.Errorf("%w: %w", ErrStoreFull, err)
	}
	return nil, fmt.Errorf("open the consensus store: %w", err)
}

func open(cfg Config) (*Store, error) {
	st, err := openStores(&cfg)
	if err != nil {
		return nil, err
	}
	s := newStore(cfg, st)
	if err := s.checkPresent(); err != nil {
		return nil, errors.Join(err, s.closeStores())
	}
	s.trans = newTransport(&s.cfg, newStreams(&s.cfg))
	s.fsm.applied = s.trans.herald.news
	if err := s.startRaft(); err != nil {
		_ = s.trans.Close() // the reason is err
		return nil, errors.Join(err, s.closeStores())
	}
	go s.supervise()
	go s.spreadCommits()
	go s.tryDisk()
	return s, nil
}

// checkPresent makes sure, before raft can answer anybody, that a node which
// voted before knows what it voted.
func (s *Store) checkPresent() error {
	if !s.cfg.Resume {
		return nil
	}
	last, err := s.entries.LastIndex()
	if err != nil {
		return fmt.Errorf("look for the log: %w", err)
	}
	snaps, err := s.stores.snaps.List()
	if err != nil {
		return fmt.Errorf("look for the snapshots: %w", err)
	}
	if last == 0 && len(snaps) == 0 {
		return ErrStoreLost
	}
	return nil
}

func openStores(cfg *Config) (*stores, error) {
	if cfg.Memory != nil {
		return cfg.Memory.open(), nil
	}
	return openDisk(cfg.DataDir, cfg)
}

func newStore(cfg Config, st *stores) *Store {
	s := &Store{
		cfg: cfg, dirty: newHub(), stores: st, gate: newGate(),
		failed: make(chan struct{}), stopped: make(chan struct{}), supervised: make(chan struct{}), heralded: make(chan struct{}), tried: make(chan struct{}),
	}
	seen := &newest{raised: cfg.Raised}
	s.fsm = newFSM(cfg.Commands, s.dirty, s.fail)
	s.fsm.newest = seen
	s.guard = &guard{deadline: cfg.Tuning.StoreDeadline, fail: s.fail}
	s.entries = &guardedLog{guard: s.guard, inner: st.log, newest: seen}
	return s
}

// startRaft runs NewRaft, which reads the whole store, in a goroutine that a
// poisoned store may end.
func (s *Store) startRaft() error {
	const cached = 256 // entries, for followers that are a little behind
	logs, err := raft.NewLogCache(cached, raftLogStore{s.entries})
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() { done <- err }()
		err = protect(func() (err error) {
			s.raft, err = raft.NewRaft(s.cfg.raft(), s.fsm, logs, &guardedStable{s.guard, s.stores.stable}, s.stores.snaps, s.trans)
			return err
		})
	}()
	err = <-done
	if failed := s.Err(); failed != nil && s.raft == nil {
		return failed
	}
	return err
}

// supervise turns raft's observations into wake-ups, and a failure into the end
// of this node's part: it must neither lead nor vote on.
func (s *Store) supervise() {
	defer close(s.supervised)
	seen := make(chan raft.Observation, 1) // raft drops what does not fit: one is enough to look again
	observer := raft.NewObserver(seen, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState, raft.PeerObservation:
			return true
		}
		return false
	})
	s.raft.RegisterObserver(observer)
	defer s.raft.DeregisterObserver(observer)

	failed, turns := s.failed, newTurns()
	defer turns.timer.Stop()
	for {
		select {
		case <-turns.timer.C:
			s.take(turns)
			continue
		case <-seen:
		case <-failed:
			failed = nil
			s.stopRaft()
		case <-s.stopped:
			s.leaders.fire()
			return
		}
		s.pace()
		s.leaders.fire()
	}
}

// pace has a leader send fewer heartbeats than raft's rule of one to two tenths
// of the time that a follower waits for them, which it leaves as it is.
func (s *Store) pace() {
	beat := s.cfg.Tuning.Heartbeat
	if s.raft.State() == raft.Leader {
		beat = s.cfg.Tuning.Pace
	}
	rc := s.raft.ReloadableConfig()
	if rc.HeartbeatTimeout == beat {
		return
	}
	rc.HeartbeatTimeout, rc.ElectionTimeout = beat, max(beat, s.cfg.Tuning.Election)
	if err := s.raft.ReloadConfig(rc); err != nil {
		s.cfg.Logger.Warn("the pace of heartbeats stays as it is", "error", err)
	}
}

// fail records the first reason to stop.
func (s *Store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		close(s.failed)
	}
}

// Failed is closed when the store cannot go on: see Err. The caller should close
// it, and the process should leave, unless the disk is full.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Err is why the store failed: it matches ErrStoreHung, ErrStoreFull, ErrStoreBroken,
// ErrUnappliable or ErrIncompatible. It is nil while all is well.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// View returns the state as this node has applied it.
func (s *Store) View() state.View { return *s.fsm.view.Load() }

// Empty reports whether the store holds nothing: neither bootstrapped nor ever
// contacted by a leader.
func (s *Store) Empty() bool { return s.raft.LastIndex() == 0 }

// Close answers what is in flight, stops raft, closes the listener and then the
// files. It does not hand leadership over: call TransferLeadership before.
func (s *Store) Close() error {
	s.mu.Lock()
	again := s.closing
	s.closing = true
	s.mu.Unlock()
	if again {
		<-s.supervised
		<-s.heralded
		<-s.tried
		return nil
	}
	s.stopRaft()
	select {
	case <-s.stopped:
	case <-s.afterFailure(2 * s.cfg.Tuning.StoreDeadline):
		return fmt.Errorf("close the consensus store: raft does not end: %w", s.Err())
	}
	<-s.supervised
	<-s.heralded
	<-s.tried
	return s.closeStores()
}

// drain waits until raft has answered every request. Raft leaves some without
// an answer when it is shut down; a leader without a quorum answers them when
// its lease is over, and one whose store has failed at once, as no operation of
// that takes time any more.
func (s *Store) drain() {
	done := make(chan struct{})
	go func() {
		s.calls.Wait()
		close(done)
	}()
	limit := time.NewTimer(s.cfg.Tuning.StoreDeadline + 2*s.cfg.Tuning.Lease)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	case <-s.failed:
		limit.Reset(s.cfg.Tuning.Lease)
		select {
		case <-done:
		case <-limit.C:
		}
	}
}

// afterFailure fires a while after the store failed; without a failure, never.
func (s *Store) afterFailure(d time.Duration) <-chan struct{} {
	late := make(chan struct{})
	go func() {
		select {
		case <-s.stopped:
			return
		case <-s.failed:
		}
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-s.stopped:
		case <-t.C:
			close(late)
		}
	}()
	return late
}

// stopRaft has raft answer what is in flight and then end; it does not wait.
func (s *Store) stopRaft() {
	s.stop.Do(func() {
		go func() {
			defer close(s.stopped)
			s.drain()
			_ = s.raft.Shutdown().Error() // always nil; waits for raft's goroutines and closes the transport
		}()
	})
}

// closeStores leaves a poisoned store open: an operation may still be inside
// it, and the end of the process closes it as well. On a full disk every
// operation has come back.
func (s *Store) closeStores() error {
	if err := s.guard.poisoned(); err != nil && !errors.Is(err, ErrStoreFull) {
		return nil
	}
	if err := s.stores.close(); err != nil {
		return fmt.Errorf("close the consensus store: %w", err)
	}
	return nil
}
