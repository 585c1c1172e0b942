package consensus

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/cluster"
)

// Errors of Open.
var (
	// ErrLocked: another process has the data directory open.
	ErrLocked = errors.New("the consensus store is in use by another process")
	// ErrStoreBroken is matched by *BrokenError and by a Store's Err after its
	// files turned out to be damaged.
	ErrStoreBroken = errors.New("the consensus store is damaged")
	// ErrIncompatible: the store is intact, but was written by a version of
	// muster that this one does not understand.
	ErrIncompatible = errors.New("the consensus store was written by another version of muster")
	// ErrStoreLost: the store should hold a log, and is empty. With the log its
	// votes are gone.
	ErrStoreLost = errors.New("the consensus store is gone")
	// ErrNotEmpty: only an empty store can be bootstrapped.
	ErrNotEmpty = errors.New("the consensus store already belongs to a cluster")
)

// Errors of a running Store.
var (
	// ErrUnknown: it is not known whether the command took effect. A retry with
	// the same request ID is safe.
	ErrUnknown = errors.New("unknown outcome")
	// ErrClosed: the store is closed or has failed.
	ErrClosed = errors.New("the consensus store is closed")
	// ErrStoreHung: an operation on the log store missed its deadline. The store
	// is not used any more.
	ErrStoreHung = errors.New("the disk under the consensus store does not answer")
	// ErrStoreFull: the disk under the store has no room. The store is not used
	// any more; what it holds is intact, and it can be opened again once there is
	// room.
	ErrStoreFull = errors.New("there is no room on the disk under the consensus store")
	// ErrUnappliable: the log holds a command that this binary cannot apply.
	ErrUnappliable = errors.New("the log holds a command that this version of muster cannot apply")
)

// NotLeaderError says that only the leader can do what was asked; nothing was
// done. LeaderID is empty while there is no leader or it is being replaced.
type NotLeaderError struct {
	LeaderID cluster.NodeID
}

func (e *NotLeaderError) Error() string {
	if e.LeaderID == "" {
		return "there is no leader at the moment"
	}
	return fmt.Sprintf("this node is not the leader, %s is", e.LeaderID)
}

// TooLargeError says that a command's encoding exceeds MaxCommand.
type TooLargeError struct {
	Size, Max int // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the command has %d bytes, a log entry holds at most %d; split it", e.Size, e.Max)
}

// OutdatedError says that a voter does not know the command yet; nothing was
// done.
type OutdatedError struct {
	Node    string // name
	Version string // of muster that it runs
}

func (e *OutdatedError) Error() string {
	return fmt.Sprintf("node %s runs muster %s and does not know this yet: upgrade it first", e.Node, e.Version)
}

// BrokenError says that a store did not open and where its files are now.
type BrokenError struct {
	Dir   string
	Aside string // empty when the files could not be moved
	Err   error
}

func (e *BrokenError) Error() string {
	if e.Aside == "" {
		return fmt.Sprintf("open %s: %v: %v; move it away and join the cluster again", e.Dir, ErrStoreBroken, e.Err)
	}
	return fmt.Sprintf("open %s: %v: %v; its files are kept in %s, join the cluster again", e.Dir, ErrStoreBroken, e.Err, e.Aside)
}

// Unwrap makes the error match ErrStoreBroken and its cause.
func (e *BrokenError) Unwrap() []error { return []error{ErrStoreBroken, e.Err} }

type hungError struct {
	op    string
	after time.Duration
}

func (e *hungError) Error() string {
	return fmt.Sprintf("%v: %s took more than %v", ErrStoreHung, e.op, e.after)
}
func (e *hungError) Unwrap() error { return ErrStoreHung }

// full reports whether the system refused to write for want of room.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// outcome translates what raft answered to a request.
func (s *Store) outcome(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader):
		leader, _ := s.Leader()
		return &NotLeaderError{LeaderID: leader}
	case errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return &NotLeaderError{}
	case errors.Is(err, raft.ErrRaftShutdown):
		return fmt.Errorf("%w: %w", ErrUnknown, ErrClosed)
	}
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}
