package consensus

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/cluster/state"
)

// defaultWait bounds a request whose context has no deadline.
const defaultWait = 10 * time.Second

// Propose appends a command to the log and returns what applying it gave, here
// on the leader. A refusal by the state machine is in Result.Err; the error is
// about the log: *NotLeaderError, *TooLargeError and *OutdatedError (nothing was
// done), ErrUnknown (it may have been: retry with the same request ID), ErrClosed.
func (s *Store) Propose(ctx context.Context, c state.Command) (state.Result, error) {
	data, err := state.Encode(c)
	if err != nil {
		return state.Result{}, fmt.Errorf("propose a command: %w", err)
	}
	if len(data) > MaxCommand {
		return state.Result{}, fmt.Errorf("propose a command: %w", &TooLargeError{Size: len(data), Max: MaxCommand})
	}
	release, err := s.admit(ctx, c)
	if err != nil {
		return state.Result{}, fmt.Errorf("propose a command: %w", err)
	}
	defer release()
	f, err := s.ask(ctx, func(wait time.Duration) raft.Future { return s.raft.Apply(data, wait) })
	if err != nil {
		return state.Result{}, fmt.Errorf("propose a command: %w", err)
	}
	switch answer := f.(raft.ApplyFuture).Response().(type) {
	case state.Result:
		return answer, nil
	case error:
		return state.Result{}, fmt.Errorf("propose a command: %w: %w", ErrUnknown, answer)
	default:
		return state.Result{}, fmt.Errorf("propose a command: %w: the log answered %T", ErrUnknown, answer)
	}
}

// Barrier returns when the View holds everything that was committed before. It
// is for the leader.
func (s *Store) Barrier(ctx context.Context) error {
	if _, err := s.ask(ctx, func(wait time.Duration) raft.Future { return s.raft.Barrier(wait) }); err != nil {
		return fmt.Errorf("wait for the log: %w", err)
	}
	return nil
}

// VerifyLeader returns nil when a quorum has confirmed, after the call, that
// this node leads. An answer that was on its way before the call counts as well:
// see Confirm.
func (s *Store) VerifyLeader(ctx context.Context) error {
	if _, err := s.ask(ctx, func(time.Duration) raft.Future { return s.raft.VerifyLeader() }); err != nil {
		return fmt.Errorf("verify leadership: %w", err)
	}
	return nil
}

// ask puts a request to raft and waits for the answer or the context.
func (s *Store) ask(ctx context.Context, request func(wait time.Duration) raft.Future) (raft.Future, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultWait)
		defer cancel()
	}
	deadline, _ := ctx.Deadline()
	type answer struct {
		future raft.Future
		err    error
	}
	answers := make(chan answer, 1)
	go func() {
		defer s.calls.Done()
		f := request(max(time.Until(deadline), time.Millisecond))
		answers <- answer{f, f.Error()}
	}()
	select {
	case a := <-answers:
		if failed := s.Err(); a.err != nil && failed != nil { // raft passes on its text only
			return nil, fmt.Errorf("%w: %w", ErrUnknown, failed)
		}
		return a.future, s.outcome(a.err)
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnknown, ctx.Err())
	case <-s.failed:
		return nil, fmt.Errorf("%w: %w", ErrUnknown, s.Err())
	}
}

// begin admits a request; Close waits for those that were.
func (s *Store) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return fmt.Errorf("%w: %w", ErrClosed, s.err)
	}
	if s.closing {
		return ErrClosed
	}
	s.calls.Add(1)
	return nil
}
