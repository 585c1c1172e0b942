package cli

import "github.com/spf13/cobra"

func (c *CLI) newInit() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Make a cluster of this host, its first node",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			made, err := cl.Init(cmd.Context())
			if err != nil {
				return err
			}
			c.printf("Made cluster %s; this host is its node %s.", made.ClusterID, made.Node)
			c.printf("\nJoin other hosts with this command, until %s:\n", made.Token.Expires.Local().Format("15:04:05"))
			c.printf("  %s\n", made.Token.Command)
			c.printf("Then deploy: muster deploy -f compose.yaml")
			return nil
		},
	}
}
