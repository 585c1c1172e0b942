package agent

import "context"

// turn lets one at a time do something that takes long. Unlike a mutex's,
// those who wait for theirs can give up.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits for the turn; an error means that ctx ended before.
func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait is take for those who do not give up.
func (t turn) wait() { t <- struct{}{} }

// try takes the turn if nobody has it.
func (t turn) try() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

func (t turn) done() { <-t }
