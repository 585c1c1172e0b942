package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api/client"
)

// names lists what an argument can be, each with a tab and a word about it.
type names func(context.Context, *client.Client) ([]string, error)

// completeAll offers names for every argument, except those given already.
func (c *CLI) completeAll(sources ...names) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		found := c.lookUp(cmd, begun, sources)
		return slices.DeleteFunc(found, func(s string) bool {
			name, _, _ := strings.Cut(s, "\t")
			return slices.Contains(args, name)
		}), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFirst offers names for the first argument only.
func (c *CLI) completeFirst(sources ...names) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c.lookUp(cmd, begun, sources), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeWithin is how long somebody who pressed Tab may wait.
const completeWithin = 500 * time.Millisecond

// lookUp asks the agent everything at once and keeps what continues the word
// that was begun. A shell that completes shows no errors and no notes: what is
// not known in time is not offered.
func (c *CLI) lookUp(cmd *cobra.Command, begun string, sources []names) []string {
	if err := c.applyEnv(cmd); err != nil {
		return nil
	}
	cl, err := client.New(c.host)
	if err != nil {
		return nil
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	found := make([][]string, len(sources))
	var asked sync.WaitGroup
	for i, source := range sources {
		asked.Go(func() {
			if some, err := source(ctx, cl); err == nil {
				found[i] = some
			}
		})
	}
	asked.Wait()
	return slices.DeleteFunc(slices.Concat(found...), func(s string) bool { return !strings.HasPrefix(s, begun) })
}

// completeNothing keeps the shell from offering files to verbs that take none.
func completeNothing(cmd *cobra.Command) {
	if cmd.ValidArgsFunction == nil && !cmd.HasSubCommands() {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, sub := range cmd.Commands() {
		completeNothing(sub)
	}
}

// completeScale offers the services that are not scaled yet, as "shop/web=".
func (c *CLI) completeScale(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, offer := range c.lookUp(cmd, begun, []names{serviceNames}) {
		name, about, _ := strings.Cut(offer, "\t")
		if !slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, name+"=") }) {
			out = append(out, name+"=\t"+about)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
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

// taskNames are the tasks that have not ended, by slot.
func taskNames(ctx context.Context, cl *client.Client) ([]string, error) {
	tasks, err := cl.Tasks(ctx, client.TaskQuery{})
	var out []string
	for _, t := range tasks {
		out = append(out, fmt.Sprintf("%s\t%s on %s", slotName(t), t.State, orNone(t.Node)))
	}
	slices.Sort(out)
	return slices.Compact(out), err
}

func tokenIDs(ctx context.Context, cl *client.Client) ([]string, error) {
	tokens, err := cl.Tokens(ctx)
	var out []string
	for _, t := range tokens {
		out = append(out, fmt.Sprintf("%s\t%s left, until %s", t.ID, plural(t.Uses, "use"), t.Expires.Local().Format(time.DateTime)))
	}
	return out, err
}

// imageNames are the names of the images that some node has.
func imageNames(ctx context.Context, cl *client.Client) ([]string, error) {
	images, err := cl.Images(ctx)
	var out []string
	for _, i := range images {
		for _, tag := range i.Tags {
			out = append(out, tag+"\ton "+plural(len(i.Nodes), "node"))
		}
	}
	return out, err
}
