package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/compose"
)

const deployHelp = `Makes a stack what a Compose file says, and waits until it is healthy. The stack's
name is the argument, else the file's "name:", else the file's directory.
Services that the file does not have any more are removed.`

func (c *CLI) newDeploy() *cobra.Command {
	var files []string
	var w waiting
	var auth logins
	var why note
	var canary int
	cmd := &cobra.Command{
		Use:               "deploy [-f FILE] [STACK]",
		Short:             "Make a stack what a Compose file says",
		Long:              deployHelp,
		Args:              atMost("STACK"),
		ValidArgsFunction: c.completeFirst(stackNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			stack, err := c.loadStack(cmd.Context(), files, strings.Join(args, ""))
			if err != nil {
				return err
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			if auth.send {
				if err := c.sendLogins(cmd.Context(), cl, stack); err != nil {
					return err
				}
			}
			if cmd.Flags().Changed("canary") {
				for i := range stack.Services {
					stack.Services[i].Spec.Update.Canary = canary
				}
			}
			return c.deploy(cmd.Context(), cl, stack, w, why)
		},
	}
	registerFiles(cmd, &files)
	cmd.Flags().IntVar(&canary, "canary", 0, "give only `N` tasks of each changed service the new generation, until muster promote")
	why.register(cmd)
	auth.register(cmd)
	w.register(cmd, "do not wait until the stack is healthy")
	return cmd
}

func registerFiles(cmd *cobra.Command, files *[]string) {
	cmd.Flags().StringArrayVarP(files, "file", "f", nil, "Compose `file`, - for standard input; repeatable, later ones win (default: compose.yaml)")
}

// defaultFiles are the names that Compose looks for, in its order.
var defaultFiles = []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"}

// loadStack reads Compose files and tells the user what they say in vain.
func (c *CLI) loadStack(ctx context.Context, files []string, name string) (*compose.Stack, error) {
	if len(files) == 0 {
		for _, f := range defaultFiles {
			if _, err := os.Stat(f); err == nil {
				files = []string{f}
				break
			}
		}
	}
	if len(files) == 0 {
		return nil, errors.New("there is no compose.yaml in this directory; name the file with -f")
	}
	stack, err := compose.Load(ctx, compose.Options{Files: files, Stdin: c.Stdin, Stack: name})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(files, ", "), err)
	}
	for _, w := range stack.Warnings {
		c.warnf("%s", w)
	}
	return stack, nil
}

// deploy builds what is to be built, sends the stack, and waits.
func (c *CLI) deploy(ctx context.Context, cl *client.Client, stack *compose.Stack, wait waiting, why note) error {
	if err := c.buildImages(ctx, cl, stack); err != nil {
		return err
	}
	w, err := c.newWatch(ctx, cl, stack.Name)
	if err != nil {
		return err
	}
	done, err := cl.DeployNoted(ctx, stack.Name, namedSpecs(stack), why.said())
	if err != nil {
		return fmt.Errorf("deploy %s: %w", stack.Name, err)
	}
	w.expect(done)
	if changed := c.reportChanges(done); changed {
		for _, limit := range stack.Limits() {
			c.notef("note: %s", limit)
		}
	}
	if wait.detach {
		return nil
	}
	return w.settle(ctx, wait.timeout)
}

func namedSpecs(stack *compose.Stack) []api.NamedSpec {
	out := make([]api.NamedSpec, len(stack.Services))
	for i, s := range stack.Services {
		out[i] = api.NamedSpec{Name: s.Name, Spec: s.Spec}
	}
	return out
}

// reportChanges says what a write did, and returns whether it did anything.
func (c *CLI) reportChanges(done api.Deployed) (changed bool) {
	for _, s := range done.Services {
		changed = changed || s.Action != "unchanged"
	}
	if !changed {
		c.printf("%s: unchanged", done.Stack)
		return false
	}
	for _, s := range done.Services {
		c.printf("%s: %s", qualified(done.Stack, s.Service), s.Action)
	}
	return true
}

// qualified is stack/service for either form of a service's name.
func qualified(stack, service string) string {
	if strings.Contains(service, "/") {
		return service
	}
	return stack + "/" + service
}
