package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// Argument counts. The names are those of the verb's usage line.

// noArgs takes nothing.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("takes no argument, but got %q", args[0])
	}
	return nil
}

// exactly takes one argument a name.
func exactly(names ...string) cobra.PositionalArgs {
	return between(len(names), len(names), names...)
}

// atLeast takes one argument a name or more.
func atLeast(names ...string) cobra.PositionalArgs {
	return between(len(names), -1, names...)
}

// atMost takes up to one argument a name.
func atMost(names ...string) cobra.PositionalArgs {
	return between(0, len(names), names...)
}

func between(low, high int, names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch n := len(args); {
		case n < low:
			return usagef("%s is missing", strings.Join(names[n:], " and "))
		case high >= 0 && n > high:
			return usagef("one argument too many: %q", args[high])
		}
		return nil
	}
}
