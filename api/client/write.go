package client

import (
	"context"
	"errors"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
)

// newRequest makes the ID under which a write is applied once, however often it
// is sent.
func newRequest() string { return ulid.Make().String() }

// pauseLimit bounds the pause between two attempts, and so how much later than
// the cluster has a leader again a write is taken.
const pauseLimit = 250 * time.Millisecond

// write sends r until it is answered for good: while the cluster elects a leader,
// and, unless r.once, while the outcome is not known. A cluster that has had no
// leader for long is not waited for.
func write[T any](ctx context.Context, c *Client, r call) (T, error) {
	if r.timeout == 0 {
		r.timeout = writeBudget
	}
	start := time.Now()
	told, reached := false, false
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, pauseLimit) {
		out, err := attempt[T](ctx, c, r)
		if err == nil || !again(err, r.once, reached) || ctx.Err() != nil {
			return out, err
		}
		reached = true
		waited := time.Since(start)
		if waited+pause > RetryFor {
			return out, err
		}
		if waited >= waitNotice && !told {
			told = true
			c.onWait(err)
		}
		if !sleep(ctx, pause) {
			return out, err
		}
	}
}

// again reports whether a write that failed with err is sent again. An agent
// that was reached before may be restarting; one that was not is not running.
func again(err error, once, reached bool) bool {
	var connect *ConnectError
	switch {
	case errors.As(err, &connect):
		return reached
	case errors.Is(err, errTimeout):
		return false
	}
	var answer *api.Error
	if errors.As(err, &answer) && answer.Lasting {
		return false
	}
	switch Code(err) {
	case api.CodeUnavailable, api.CodeNoQuorum:
		return true
	case api.CodeUnknown:
		return !once
	case "":
		return !once && lost(err)
	}
	return false
}

// sleep waits for d and reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
