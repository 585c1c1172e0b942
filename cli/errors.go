package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitError       = 1
	exitUsage       = 2
	exitUnhealthy   = 3
	exitChanges     = 4 // plan: there is something to do
	exitInterrupted = 130
)

// usageError is a command line that cannot be understood.
type usageError struct{ reason string }

func (e *usageError) Error() string { return e.reason }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// exitStatus ends the program with a code; what there was to say has been said,
// unless err says more.
type exitStatus struct {
	code int
	err  error
}

func (e *exitStatus) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitStatus) Unwrap() error { return e.err }

// report prints err, if there is something to say, and returns the exit code.
func (c *CLI) report(ctx context.Context, cmd *cobra.Command, err error) int {
	var status *exitStatus
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		if status.err != nil {
			c.complain(cmd, err)
		}
		return status.code
	case errors.As(err, &usage):
		c.complain(cmd, err)
		fmt.Fprintf(c.Stderr, "see: %s --help\n", cmd.CommandPath())
		return exitUsage
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return exitInterrupted
	}
	c.complain(cmd, err)
	return exitError
}

func (c *CLI) complain(cmd *cobra.Command, err error) {
	fmt.Fprintf(c.Stderr, "%s: %v\n", cmd.CommandPath(), err)
}

// printf writes to standard output.
func (c *CLI) printf(format string, args ...any) { fmt.Fprintf(c.Stdout, format+"\n", args...) }

// notef tells the user something that is not the answer.
func (c *CLI) notef(format string, args ...any) { fmt.Fprintf(c.Stderr, format+"\n", args...) }

func (c *CLI) warnf(format string, args ...any) { c.notef("warning: "+format, args...) }
