package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const envPrefix = "MUSTER_"

// envName is the variable that gives a flag: "data-dir" is MUSTER_DATA_DIR.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// applyEnv sets every flag of cmd that the command line does not give from its
// variable; an empty variable is none.
func (c *CLI) applyEnv(cmd *cobra.Command) error {
	var faults []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" {
			return
		}
		value, ok := c.Env(envName(f.Name))
		if !ok || value == "" {
			return
		}
		if err := setFlag(cmd.Flags(), f, value); err != nil {
			faults = append(faults, usagef("the variable %s: %v", envName(f.Name), err))
		}
	})
	return errors.Join(faults...)
}

func setFlag(flags *pflag.FlagSet, f *pflag.Flag, value string) error {
	if _, ok := f.Value.(pflag.SliceValue); !ok {
		return flags.Set(f.Name, value)
	}
	for part := range strings.SplitSeq(value, ",") {
		if err := flags.Set(f.Name, part); err != nil {
			return err
		}
	}
	return nil
}
