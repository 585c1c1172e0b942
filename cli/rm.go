package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api/client"
)

func (c *CLI) newRemove() *cobra.Command {
	var w waiting
	cmd := &cobra.Command{
		Use:               "rm STACK|SERVICE...",
		Aliases:           []string{"remove"},
		Short:             "Remove stacks or services",
		Long:              "Removes stacks or services: their containers are stopped and removed. Volumes stay.",
		Args:              atLeast("STACK|SERVICE"),
		ValidArgsFunction: c.completeAll(serviceAndStackNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			return c.remove(cmd.Context(), cl, args, w)
		},
	}
	w.register(cmd, "do not wait until they are gone")
	return cmd
}

func (c *CLI) remove(ctx context.Context, cl *client.Client, words []string, wait waiting) error {
	all, err := cl.Services(ctx, "")
	if err != nil {
		return err
	}
	var targets []target
	var what []string
	for _, word := range words {
		t, err := oneTarget(all, word)
		if err != nil {
			return err
		}
		targets = append(targets, t)
		what = append(what, t.String())
	}
	if err := c.confirm(ctx, "remove "+strings.Join(what, " and ")); err != nil {
		return err
	}
	var watches []*watch
	for _, t := range targets {
		w, err := c.newWatch(ctx, cl, t.stack)
		if err != nil {
			return err
		}
		watches = append(watches, w)
		var services []string
		if t.service != "" {
			services = []string{t.service.Name()}
		}
		done, err := cl.RemoveStack(ctx, t.stack, services...)
		if err != nil {
			return fmt.Errorf("remove %s: %w", t, err)
		}
		if wait.detach {
			c.reportChanges(done)
		}
	}
	if wait.detach {
		return nil
	}
	for i, t := range targets {
		if err := watches[i].gone(ctx, wait.timeout, t.service); err != nil {
			return err
		}
		c.printf("%s removed", t)
	}
	return nil
}
