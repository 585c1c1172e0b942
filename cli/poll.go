package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api/client"
)

// waiting is what every verb takes that waits for what it started.
type waiting struct {
	detach  bool
	timeout time.Duration
}

func (w *waiting) register(cmd *cobra.Command, detach string) {
	cmd.Flags().BoolVarP(&w.detach, "detach", "d", false, detach)
	cmd.Flags().DurationVar(&w.timeout, "timeout", 5*time.Minute, "how long to wait")
}

// pollEvery is how often what a write started is looked at.
const pollEvery = 200 * time.Millisecond

// errTimedOut ends a poll that saw no end.
var errTimedOut = errors.New("timed out")

// poll calls look until it reports true or an error. Errors that may pass by
// themselves are told once and looked past. The error is errTimedOut after
// timeout, and ctx's own when the user interrupts.
func (c *CLI) poll(ctx context.Context, timeout time.Duration, look func(context.Context) (bool, error)) error {
	limited, cancel := context.WithTimeoutCause(ctx, timeout, errTimedOut)
	defer cancel()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	troubled := false
	for {
		done, err := look(limited)
		switch {
		case limited.Err() != nil && (err != nil || !done):
			return context.Cause(limited)
		case err == nil && done:
			return nil
		case err != nil && !client.Passing(err):
			return err
		case err != nil && !troubled:
			c.notef("cannot look at the moment, still trying: %v", err)
		}
		troubled = err != nil
		select {
		case <-limited.Done():
			return context.Cause(limited)
		case <-ticker.C:
		}
	}
}

// detached tells a user who interrupted a wait that nothing was canceled.
func (c *CLI) detached(err error, goesOn string) error {
	if errors.Is(err, context.Canceled) {
		c.notef("\nNo longer waiting, and nothing is canceled: %s", goesOn)
	}
	return err
}
