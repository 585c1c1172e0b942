package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api/client"
)

// names lists what an argument can be, each with a tab and a word about it.
type names func(context.Context, *client.Client) ([]string, error)

// completeAll offers names for every argument, except those given already.
func (c *CLI) completeAll(sources ...names) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		found := c.lookUp(cmd, sources)
		return slices.DeleteFunc(found, func(s string) bool {
			name, _, _ := strings.Cut(s, "\t")
			return slices.Contains(args, name)
		}), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFirst offers names for the first argument only.
func (c *CLI) completeFirst(sources ...names) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c.lookUp(cmd, sources), cobra.ShellCompDirectiveNoFileComp
	}
}

// lookUp asks the agent; a shell that completes shows no errors, so there are none.
func (c *CLI) lookUp(cmd *cobra.Command, sources []names) []string {
	if err := c.applyEnv(cmd); err != nil {
		return nil
	}
	cl, err := c.connect()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
	defer cancel()
	var out []string
	for _, source := range sources {
		found, err := source(ctx, cl)
		if err != nil {
			return nil
		}
		out = append(out, found...)
	}
	return out
}

func serviceNames(ctx context.Context, cl *client.Client) ([]string, error) {
	services, err := cl.Services(ctx, "")
	var out []string
	for _, s := range services {
		out = append(out, s.Service+"\t"+s.Image)
	}
	return out, err
}

func stackNames(ctx context.Context, cl *client.Client) ([]string, error) {
	services, err := cl.Services(ctx, "")
	var out []string
	for _, s := range services {
		out = append(out, s.Stack+"\tstack")
	}
	slices.Sort(out)
	return slices.Compact(out), err
}

func serviceAndStackNames(ctx context.Context, cl *client.Client) ([]string, error) {
	services, err := serviceNames(ctx, cl)
	if err != nil {
		return nil, err
	}
	stacks, err := stackNames(ctx, cl)
	return append(services, stacks...), err
}
