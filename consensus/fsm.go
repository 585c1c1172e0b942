package consensus

import (
	"fmt"
	"io"
	"runtime/debug"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/cluster/state"
)

// fsm feeds the log to the state machine. Raft calls it from one goroutine;
// view and index are what everybody else may read.
type fsm struct {
	knows  int     // version of commands
	newest *newest // nil: nobody asks
	state  *state.State
	view   atomic.Pointer[state.View]
	index  atomic.Uint64 // of the newest command that view includes
	dirty  *hub
	fail   func(error)
	// applied is called after each batch, if set.
	applied func()

	// stopped is why nothing is applied any more. Entries behind one that could
	// not be applied must not be, and no snapshot may pretend that they were.
	stopped error
}

func newFSM(knows int, dirty *hub, fail func(error)) *fsm {
	f := &fsm{knows: knows, state: state.New(), dirty: dirty, fail: fail}
	f.publish(0)
	return f
}

// Apply applies one entry.
func (f *fsm) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies entries in order; each answer is a state.Result or an
// error. The view changes once.
func (f *fsm) ApplyBatch(logs []*raft.Log) []any {
	answers := make([]any, len(logs))
	var changes []state.Change
	last := f.index.Load()
	for i, l := range logs {
		if l.Type != raft.LogCommand {
			continue
		}
		res, err := f.apply(l)
		if err != nil {
			answers[i] = err
			continue
		}
		answers[i], last = res, l.Index
		changes = append(changes, res.Changes...)
	}
	f.publish(last)
	f.dirty.mark(changes)
	if f.applied != nil {
		f.applied()
	}
	return answers
}

func (f *fsm) apply(l *raft.Log) (res state.Result, err error) {
	if f.stopped != nil {
		return state.Result{}, f.stopped
	}
	defer func() {
		if p := recover(); p != nil {
			err = f.stop(l.Index, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	cmd, err := state.Decode(l.Data)
	if err != nil {
		return state.Result{}, f.stop(l.Index, err)
	}
	if cmd.Version > f.knows {
		return state.Result{}, f.stop(l.Index, fmt.Errorf("it is a command of version %d, this version of muster knows up to %d", cmd.Version, f.knows))
	}
	return f.state.Apply(l.Index, cmd), nil
}

func (f *fsm) stop(index uint64, err error) error {
	f.stopped = fmt.Errorf("apply log entry %d: %w: %w; upgrade this node", index, ErrUnappliable, err)
	f.fail(f.stopped)
	return f.stopped
}

func (f *fsm) publish(index uint64) {
	v := f.state.View()
	f.view.Store(&v)
	f.index.Store(index)
}

// Snapshot takes the current view, in constant time.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	if f.stopped != nil {
		return nil, f.stopped
	}
	return snapshot{f.state.View()}, nil
}

// Restore replaces the state by a snapshot, whose checksum raft has verified.
func (f *fsm) Restore(r io.ReadCloser) error {
	if f.stopped != nil {
		return f.stopped
	}
	s, err := state.ReadSnapshot(r)
	if err == nil && s.View().Level() > f.knows {
		err = fmt.Errorf("the snapshot holds what commands of version %d made, this version of muster knows up to %d", s.View().Level(), f.knows)
	}
	if err != nil {
		f.stopped = fmt.Errorf("%w: %w", ErrIncompatible, err)
		f.fail(f.stopped)
		return f.stopped
	}
	if err := f.newest.note(s.View().Level()); err != nil {
		return err
	}
	f.state = s
	f.publish(s.View().Index())
	f.dirty.markAll()
	return nil
}

type snapshot struct{ view state.View }

// Persist streams the view.
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.view.WriteSnapshot(sink); err != nil {
		_ = sink.Cancel() // the write's error says more
		return fmt.Errorf("write snapshot %s: %w", sink.ID(), err)
	}
	if err := sink.Close(); err != nil {
		return fmt.Errorf("finish snapshot %s: %w", sink.ID(), err)
	}
	return nil
}

// Release does nothing: a view is garbage collected.
func (s snapshot) Release() {}
