package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
)

func (c *CLI) newJoin() *cobra.Command {
	var token string
	cmd := &cobra.Command{
		Use:   "join ADDR...",
		Short: "Join this host to a cluster",
		Long: `Joins this host to a cluster. ADDR is a node of it, HOST or HOST:PORT; with
several, the first that answers is taken. The token comes from the cluster:
muster token create`,
		Args: atLeast("ADDR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if token == "" {
				return usagef("--token is missing; make one on a node of the cluster with: muster token create")
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			joined, err := cl.Join(cmd.Context(), api.Join{Addresses: args, Token: token})
			if err != nil {
				return fmt.Errorf("join the cluster at %s: %w", strings.Join(args, ", "), err)
			}
			c.printf("Joined cluster %s as node %s.", joined.ClusterID, joined.Node)
			return nil
		},
	}
	cmd.Flags().StringVar(&token, "token", "", "join `token`")
	return cmd
}
