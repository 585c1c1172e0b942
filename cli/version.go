package cli

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
)

// versions is what `version` shows; Agent is null when none can be reached.
type versions struct {
	Client api.Version  `json:"client"`
	Agent  *api.Version `json:"agent"`
}

func (c *CLI) newVersion() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the builds of this program and of the agent",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			v := versions{Client: api.Version{Version: c.Version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}}
			ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Second)
			defer cancel()
			agent, agentErr := cl.Version(ctx)
			if agentErr == nil {
				v.Agent = &agent
			}
			return detail(c, o, v, c.Version, func(w io.Writer) error { return writeVersions(w, v, agentErr) })
		},
	}
	o.register(cmd, "print this program's version alone")
	return cmd
}

func writeVersions(w io.Writer, v versions, agentErr error) error {
	var t table
	row := func(who string, b api.Version) {
		t.add(cell{text: who}, cell{text: b.Version}, cell{text: b.OS + "/" + b.Arch}, cell{text: b.Go})
	}
	row("client", v.Client)
	if v.Agent != nil {
		row("agent", *v.Agent)
	}
	if err := t.write(w); err != nil || agentErr == nil {
		return err
	}
	_, err := fmt.Fprintf(w, "agent   not reached: %v\n", agentErr)
	return err
}
