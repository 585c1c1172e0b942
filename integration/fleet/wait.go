//go:build linux

package fleet

import (
	"context"
	"fmt"
	"time"
)

// pollEvery is how often a condition is looked at again.
const pollEvery = 50 * time.Millisecond

// Until waits until holds returns nil. If ctx ends before, it returns the last
// answer that this did not cut short: the reason why the condition does not hold.
func Until(ctx context.Context, what string, holds func(context.Context) error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var last error
	for {
		err := holds(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, last)
		case <-tick.C:
		}
	}
}

// Within is Until with a limit of its own.
func Within(ctx context.Context, limit time.Duration, what string, holds func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := Until(ctx, what, holds); err != nil {
		return fmt.Errorf("%w (%v)", err, limit)
	}
	return nil
}
