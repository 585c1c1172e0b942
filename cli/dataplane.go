package cli

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/configs"
)

const dataPlaneHelp = `Carries this host's traffic: connections to published ports, on their way to the
tasks behind them. It is a process of its own, so that neither the end of an
agent nor an upgrade cuts a connection: the agent brings it tables over a socket
beside its own, and it serves the last one, which it keeps on disk.

An agent starts one where none answers, unless it was told not to (--dataplane).
SIGHUP, and an agent of another version, have another process go on with it: that
takes over the ports, while the old one ends with its last connection.

--data-dir, --socket and their settings are the agent's.`

// inheritFlag starts a process that follows another one.
const inheritFlag = "inherit"

func (c *CLI) newDataPlane() *cobra.Command {
	flags := configs.Default()
	var file string
	var how DataPlane
	cmd := &cobra.Command{
		Use:   "dataplane",
		Short: "Carry this host's traffic",
		Long:  dataPlaneHelp,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := settings(cmd, file, flags)
			if err != nil {
				return err
			}
			how.Args = slices.DeleteFunc(slices.Clone(os.Args[1:]), func(a string) bool { return a == "--"+inheritFlag })
			if err := c.RunDataPlane(cmd.Context(), cfg, how, newLogger(c.Stderr, cfg)); err != nil {
				return fmt.Errorf("run the data plane: %w", err)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "config", "", "`file` with the agent's settings (YAML)")
	f.StringVar(&flags.DataDir, "data-dir", flags.DataDir, "`directory` of the agent; the last table is kept there")
	f.StringVar(&flags.Socket, "socket", flags.Socket, "`path` of the agent's socket; the data plane's is beside it")
	f.StringVar(&flags.LogFormat, "log-format", flags.LogFormat, "text or json")
	f.StringVar(&flags.LogLevel, "log-level", flags.LogLevel, "debug, info, warn or error")
	f.BoolVar(&how.Alone, "alone", false, "end when this host is in no cluster")
	f.BoolVar(&how.Inherit, inheritFlag, false, "go on with what another data plane hands over; only it can start this")
	_ = f.MarkHidden(inheritFlag) // it is there
	return cmd
}
