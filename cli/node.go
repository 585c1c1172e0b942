package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cluster"
)

func (c *CLI) newNode() *cobra.Command {
	return group("node", "Nodes",
		c.newNodeList(), c.newNodeInspect(), c.newNodeDrain(),
		c.newNodeAvailability("cordon", "Let nodes keep their tasks, but take no new ones", cluster.Cordoned),
		c.newNodeAvailability("uncordon", "Let nodes take tasks again, also after a drain", cluster.Active),
		c.newNodeLabel(), c.newNodeRemove())
}

// newNodeAvailability makes the verbs that change a node's availability without
// waiting for anything.
func (c *CLI) newNodeAvailability(use, short string, to cluster.Availability) *cobra.Command {
	return &cobra.Command{
		Use:               use + " NODE...",
		Short:             short,
		Args:              atLeast("NODE"),
		ValidArgsFunction: c.completeAll(nodeNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			for _, name := range args {
				n, err := cl.SetAvailability(cmd.Context(), name, to, false)
				if err != nil {
					return err
				}
				c.printf("%s is %s", n.Name, n.Availability)
			}
			return nil
		},
	}
}

func (c *CLI) newNodeLabel() *cobra.Command {
	return &cobra.Command{
		Use:               "label NODE K=V... K-...",
		Short:             "Set labels of a node (K=V) or remove them (K-)",
		Args:              atLeast("NODE", "K=V"),
		ValidArgsFunction: c.completeFirst(nodeNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := parseLabels(args[1:])
			if err != nil {
				return err
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			n, err := cl.SetLabels(cmd.Context(), args[0], change)
			if err != nil {
				return err
			}
			c.printf("%s: %s", n.Name, orNone(joinLabels(n.Labels)))
			return nil
		},
	}
}

func parseLabels(args []string) (api.SetLabels, error) {
	change := api.SetLabels{Set: map[string]string{}}
	for _, arg := range args {
		key, value, set := strings.Cut(arg, "=")
		name, remove := strings.CutSuffix(arg, "-")
		switch {
		case set && key != "":
			change.Set[key] = value
		case !set && remove && name != "":
			change.Remove = append(change.Remove, name)
		default:
			return change, usagef("%q is neither K=V, to set a label, nor K-, to remove one", arg)
		}
	}
	return change, nil
}

func (c *CLI) newNodeRemove() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:               "rm NODE...",
		Aliases:           []string{"remove"},
		Short:             "Remove nodes that are gone for good from the cluster",
		Long:              "Removes nodes that are gone for good. A host that is up leaves by itself with: muster leave",
		Args:              atLeast("NODE"),
		ValidArgsFunction: c.completeAll(nodeNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.confirm(cmd.Context(), "remove "+strings.Join(args, ", ")+" from the cluster"); err != nil {
				return err
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			for _, name := range args {
				if err := cl.RemoveNode(cmd.Context(), name, force); err != nil {
					return err
				}
				c.printf("%s removed", name)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also nodes that are not down")
	return cmd
}

// nodeNames lists the nodes for completion.
func nodeNames(ctx context.Context, cl *client.Client) ([]string, error) {
	nodes, err := cl.Nodes(ctx)
	var out []string
	for _, n := range nodes {
		out = append(out, fmt.Sprintf("%s\t%s", n.Name, n.State))
	}
	return out, err
}
