package consensus

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/cluster/state"
)

// guard gives every operation of a store a deadline and turns its panics into
// errors. Without it a leader with a hung disk keeps its heartbeats going and
// the cluster freezes. After the first time-out or panic the store is poisoned:
// nothing touches it again, because nobody knows what it holds. A full disk ends
// it as well: a node that cannot write must not lead, and raft panics when it
// cannot save its term.
type guard struct {
	deadline time.Duration
	fail     func(error) // called once

	mu  sync.Mutex
	err error
}

// waits is in how many parts a deadline is waited for: a process that was
// stopped or starved for longer than the deadline loses one part, not all.
const waits = 10

func (g *guard) do(op string, f func() error) error {
	if err := g.poisoned(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- protect(f) }() // outlives a time-out: nothing can interrupt the system call
	t := time.NewTimer(g.deadline / waits)
	defer t.Stop()
	for range waits {
		select {
		case err := <-done:
			var broke *panicError
			if errors.As(err, &broke) {
				return g.poison(fmt.Errorf("%s: %w: %w", op, ErrStoreBroken, err))
			}
			if full(err) {
				return g.poison(fmt.Errorf("%s: %w: %w", op, ErrStoreFull, err))
			}
			return err
		case <-t.C:
			t.Reset(g.deadline / waits)
		}
	}
	return g.poison(&hungError{op: op, after: g.deadline})
}

func (g *guard) poisoned() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

func (g *guard) poison(err error) error {
	g.mu.Lock()
	first := g.err == nil
	if first {
		g.err = err
	}
	err = g.err
	g.mu.Unlock()
	if first {
		g.fail(err)
	}
	return err
}

// panicError is a panic of a store: a damaged bolt file panics, or faults when
// it is shorter than its pages say.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// protect runs f and returns its panic or memory fault as a *panicError.
func protect(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p}
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return f()
}

// guardedLog is a raft.LogStore behind a guard.
type guardedLog struct {
	*guard
	inner  raft.LogStore
	newest *newest
	writes writes
}

func (l *guardedLog) FirstIndex() (uint64, error) {
	return l.index("read the first index", l.inner.FirstIndex)
}

func (l *guardedLog) LastIndex() (uint64, error) {
	return l.index("read the last index", l.inner.LastIndex)
}

func (l *guardedLog) index(op string, read func() (uint64, error)) (uint64, error) {
	var got atomic.Uint64
	err := l.do(op, func() error {
		n, err := read()
		got.Store(n)
		return err
	})
	return got.Load(), err
}

// GetLog reads one entry. The store writes into a value of its own, so that a
// read which comes back too late disturbs nobody.
func (l *guardedLog) GetLog(index uint64, log *raft.Log) error {
	got := new(raft.Log)
	if err := l.do("read a log entry", func() error { return l.inner.GetLog(index, got) }); err != nil {
		return err
	}
	*log = *got
	return nil
}

func (l *guardedLog) StoreLog(log *raft.Log) error { return l.StoreLogs([]*raft.Log{log}) }

func (l *guardedLog) StoreLogs(logs []*raft.Log) error {
	begun := time.Now()
	err := l.do("append to the log", func() error {
		for _, log := range logs {
			if log.Type != raft.LogCommand {
				continue
			}
			if err := l.newest.note(state.VersionOf(log.Data)); err != nil {
				return err
			}
		}
		return l.inner.StoreLogs(logs)
	})
	if now := time.Now(); err == nil {
		l.writes.note(now, now.Sub(begun))
	}
	return err
}

func (l *guardedLog) DeleteRange(first, last uint64) error {
	return l.do("cut the log", func() error { return l.inner.DeleteRange(first, last) })
}

// raftLogStore is the guardedLog that raft itself sees. Raft panics when it
// cannot read an entry that it must apply; with a poisoned store the goroutine
// ends instead, and the process leaves in order after Failed.
type raftLogStore struct{ *guardedLog }

func (l raftLogStore) GetLog(index uint64, log *raft.Log) error {
	return l.endIfPoisoned(l.guardedLog.GetLog(index, log))
}

// guardedStable is a raft.StableStore behind a guard, as raft sees it: raft
// panics when it cannot save a term, see raftLogStore.
type guardedStable struct {
	*guard
	inner raft.StableStore
}

func (s *guardedStable) Set(key, val []byte) error {
	return s.do("save a vote", func() error { return s.inner.Set(key, val) })
}

func (s *guardedStable) Get(key []byte) ([]byte, error) {
	var got atomic.Pointer[[]byte]
	err := s.do("read a vote", func() error {
		b, err := s.inner.Get(key)
		got.Store(&b)
		return err
	})
	if err != nil {
		return nil, err
	}
	return *got.Load(), nil
}

func (s *guardedStable) SetUint64(key []byte, val uint64) error {
	return s.endIfPoisoned(s.do("save a term", func() error { return s.inner.SetUint64(key, val) }))
}

func (s *guardedStable) GetUint64(key []byte) (uint64, error) {
	var got atomic.Uint64
	err := s.do("read a term", func() error {
		n, err := s.inner.GetUint64(key)
		got.Store(n)
		return err
	})
	return got.Load(), err
}

func (g *guard) endIfPoisoned(err error) error {
	if err != nil && g.poisoned() != nil {
		runtime.Goexit()
	}
	return err
}
