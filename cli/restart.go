package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

func (c *CLI) newRestart() *cobra.Command {
	var w waiting
	var why note
	cmd := &cobra.Command{
		Use:               "restart SERVICE...",
		Short:             "Replace the tasks of services by new ones, as an update does",
		Args:              atLeast("SERVICE"),
		ValidArgsFunction: c.completeAll(serviceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			return c.change(cmd.Context(), cl, args, w, func(ctx context.Context, _ int, id cluster.ServiceID) (api.Deployed, error) {
				done, err := cl.Restart(ctx, id.Stack(), id.Name(), why.said())
				if err != nil {
					err = fmt.Errorf("restart %s: %w", id, err)
				}
				return done, err
			})
		},
	}
	why.register(cmd)
	w.register(cmd, "do not wait until the services are healthy")
	return cmd
}
