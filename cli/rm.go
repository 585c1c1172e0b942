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

// removal is what is removed of one stack; no services stands for all.
type removal struct {
	stack    string
	services []string
}

func (r removal) String() string {
	if len(r.services) == 0 {
		return "stack " + r.stack
	}
	return "service " + r.stack + "/" + strings.Join(r.services, ", "+r.stack+"/")
}

func (c *CLI) remove(ctx context.Context, cl *client.Client, words []string, wait waiting) error {
	all, err := cl.Services(ctx, "")
	if err != nil {
		return err
	}
	var removals []removal
	var what []string
	for _, word := range words {
		r, err := findRemoval(all, word)
		if err != nil {
			return err
		}
		removals = append(removals, r)
		what = append(what, r.String())
	}
	if err := c.confirm(ctx, "remove "+strings.Join(what, " and ")); err != nil {
		return err
	}
	var watches []*watch
	for _, r := range removals {
		w, err := c.newWatch(ctx, cl, r.stack)
		if err != nil {
			return err
		}
		done, err := cl.RemoveStack(ctx, r.stack, r.services...)
		if err != nil {
			return fmt.Errorf("remove %s: %w", r, err)
		}
		watches = append(watches, w)
		if wait.detach {
			c.reportChanges(done)
		}
	}
	if wait.detach {
		return nil
	}
	for i, r := range removals {
		if err := watches[i].gone(ctx, wait.timeout, r.services); err != nil {
			return err
		}
		c.printf("%s removed", r)
	}
	return nil
}

func findRemoval(all []api.Service, word string) (removal, error) {
	found := findServices(all, word)
	switch {
	case len(found) == 0:
		return removal{}, noService(all, word)
	case found[0].Stack == word:
		return removal{stack: word}, nil
	case len(found) > 1:
		return removal{}, fmt.Errorf("%q can mean %s; name one of them", word, strings.Join(serviceIDs(found), ", "))
	}
	return removal{stack: found[0].Stack, services: []string{cluster.ServiceID(found[0].Service).Name()}}, nil
}
