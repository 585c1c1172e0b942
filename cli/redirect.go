package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/cluster"
)

const redirectHelp = `Sends the new connections to SERVICE's published ports to the tasks of TO, for
maintenance or a migration: to the port with the same number inside of the
container, else to TO's only one. Connections that are open stay. --off ends it,
and so does the removal of either.`

func (c *CLI) newRedirect() *cobra.Command {
	var off bool
	var why note
	cmd := &cobra.Command{
		Use:               "redirect SERVICE TO",
		Short:             "Send a service's new connections to another service",
		Long:              redirectHelp,
		Args:              between(1, 2, "SERVICE", "TO"),
		ValidArgsFunction: c.completeAll(serviceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			if off == (len(args) == 2) {
				return usagef("name the service that takes the connections, or add --off")
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			ids := make([]cluster.ServiceID, 2) // the second stays empty with --off
			for i, arg := range args {
				if ids[i], err = oneService(cmd.Context(), cl, arg); err != nil {
					return err
				}
			}
			if _, err := cl.Redirect(cmd.Context(), ids[0].Stack(), ids[0].Name(), ids[1], why.said()); err != nil {
				return fmt.Errorf("redirect %s: %w", ids[0], err)
			}
			if off {
				c.printf("%s: new connections go to its own tasks", ids[0])
			} else {
				c.printf("%s: new connections go to %s", ids[0], ids[1])
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&off, "off", false, "send them to the service's own tasks again")
	why.register(cmd)
	return cmd
}
