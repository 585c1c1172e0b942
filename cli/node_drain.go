package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cluster"
)

const drainHelp = `Moves a node's tasks to other nodes, each one ready there before it stops here,
and gives it no new ones until: muster node uncordon`

func (c *CLI) newNodeDrain() *cobra.Command {
	var w waiting
	var dryRun bool
	cmd := &cobra.Command{
		Use:               "drain NODE...",
		Short:             "Move the tasks of nodes elsewhere",
		Long:              drainHelp,
		Args:              atLeast("NODE"),
		ValidArgsFunction: c.completeAll(nodeNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			for _, name := range args {
				if dryRun {
					err = c.drainPreview(cmd.Context(), cl, name)
				} else {
					err = c.drain(cmd.Context(), cl, name, w)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	w.register(cmd, "do not wait until the tasks have moved")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only list the tasks that would move")
	return cmd
}

func (c *CLI) drainPreview(ctx context.Context, cl *client.Client, name string) error {
	n, err := cl.SetAvailability(ctx, name, cluster.Drained, true)
	if err != nil {
		return err
	}
	left := remaining(n)
	c.printf("%s: %s would move", n.Name, plural(len(left), "task"))
	for _, t := range left {
		c.printf("  %s  %s", slotName(t), t.State)
	}
	return nil
}

func (c *CLI) drain(ctx context.Context, cl *client.Client, name string, w waiting) error {
	n, err := cl.SetAvailability(ctx, name, cluster.Drained, false)
	if err != nil {
		return err
	}
	c.printf("%s is %s, %s to move", n.Name, n.Availability, plural(len(remaining(n)), "task"))
	if w.detach {
		return nil
	}
	err = c.poll(ctx, w.timeout, func(ctx context.Context) (bool, error) {
		next, err := cl.Node(ctx, n.ID)
		if err != nil {
			return false, err
		}
		c.reportMoved(n, next)
		n = next
		return len(remaining(n)) == 0, nil
	})
	switch {
	case errors.Is(err, errTimedOut):
		left := remaining(n)
		return &exitStatus{exitUnhealthy, fmt.Errorf("%s still has %s after %s, such as %s; see: muster node inspect %s",
			n.Name, plural(len(left), "task"), w.timeout, slotName(left[0]), n.Name)}
	case err != nil:
		return c.detached(err, "the node is drained further; see: muster node inspect "+n.Name)
	}
	c.printf("%s: all of its tasks have moved", n.Name)
	return nil
}

// reportMoved prints a line for each task that was on the node and is not any more.
func (c *CLI) reportMoved(before, after api.NodeDetail) {
	left := map[string]bool{}
	for _, t := range remaining(after) {
		left[t.ID] = true
	}
	for _, t := range remaining(before) {
		if !left[t.ID] {
			c.printf("%s has left %s", slotName(t), before.Name)
		}
	}
}

// remaining are the tasks that still hold something on the node.
func remaining(n api.NodeDetail) []api.Task {
	var out []api.Task
	for _, t := range n.TaskList {
		if !over(t.State) {
			out = append(out, t)
		}
	}
	return out
}
