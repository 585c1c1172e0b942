package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (c *CLI) newLeave() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "leave",
		Short: "Take this host out of its cluster",
		Long: `Takes this host out of its cluster: its tasks move to other nodes, then it is
removed and its identity is wiped. The agent stays and can join again.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			local, err := cl.Local(cmd.Context())
			if err != nil {
				return err
			}
			if err := c.confirm(cmd.Context(), fmt.Sprintf("take node %s out of cluster %s and wipe its identity", local.Name, local.ClusterID)); err != nil {
				return err
			}
			if err := cl.Leave(cmd.Context(), force); err != nil {
				return err
			}
			c.printf("Node %s has left the cluster.", local.Name)
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "do not wait for tasks to move")
	return cmd
}
