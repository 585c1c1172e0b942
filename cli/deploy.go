package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/compose"
)

const deployHelp = `Makes a stack what a Compose file says, and waits until it is healthy. The stack's
name is the argument, else the file's "name:", else the file's directory.
Services that the file does not have any more are removed.

Before running tasks are replaced or stopped, the plan is shown and you are asked;
-y answers. With --plan what muster plan --out FILE wrote is deployed, with the
images as they were then, and refused if it would do something else by now.`

func (c *CLI) newDeploy() *cobra.Command {
	var files []string
	var w waiting
	var auth logins
	var why note
	var canary int
	var planned string
	cmd := &cobra.Command{
		Use:               "deploy [-f FILE] [STACK]",
		Short:             "Make a stack what a Compose file says",
		Long:              deployHelp,
		Args:              atMost("STACK"),
		ValidArgsFunction: c.completeFirst(stackNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			if planned != "" {
				if len(files)+len(args) > 0 || canary > 0 {
					return usagef("--plan FILE says it all: leave out STACK, -f and --canary")
				}
				return c.deployPlan(cmd.Context(), planned, w, why)
			}
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
	cmd.Flags().StringVar(&planned, "plan", "", "deploy the plan in `FILE`")
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
	in := deployOf(stack)
	in.Note = why.said()
	if err := c.agree(ctx, cl, stack.Name, &in); err != nil {
		return err
	}
	return c.send(ctx, cl, stack.Name, in, wait, stack.Limits())
}

// agree asks before a deploy that replaces or stops running tasks; what was agreed
// to is what is deployed.
func (c *CLI) agree(ctx context.Context, cl *client.Client, stack string, in *api.Deploy) error {
	if c.yes {
		return nil
	}
	plan, err := cl.Compare(ctx, stack, *in)
	if err != nil {
		return fmt.Errorf("deploy %s: %w", stack, err)
	}
	harm := harms(plan)
	if harm == "" {
		return nil
	}
	if c.interactive() {
		if plan, err = cl.Plan(ctx, stack, *in); err != nil {
			return fmt.Errorf("deploy %s: %w", stack, err)
		}
		if err := c.showPlan(output{}, plan); err != nil {
			return err
		}
	}
	if err := c.confirm(ctx, harm); err != nil {
		return err
	}
	in.Basis = &plan.Basis
	return nil
}

// harms says which running tasks a plan replaces or stops, or "".
func harms(p api.Plan) string {
	var replaced, fewer, removed []string
	for _, s := range p.Services {
		switch old, next := s.Old, s.New; {
		case s.Action == "removed":
			removed = append(removed, s.Service)
		case old == nil || next == nil || old.Mode == cluster.Replicated && old.Replicas == 0:
		case old.Mode != next.Mode || !reflect.DeepEqual(old.Template, next.Template):
			replaced = append(replaced, s.Service)
		case next.Replicas < old.Replicas:
			fewer = append(fewer, s.Service)
		}
	}
	var out []string
	for _, part := range []struct {
		verb     string
		services []string
	}{{"replace the tasks of", replaced}, {"stop some tasks of", fewer}, {"remove", removed}} {
		if len(part.services) > 0 {
			out = append(out, part.verb+" "+strings.Join(part.services, ", "))
		}
	}
	return strings.Join(out, " and ")
}

// send deploys, says what that did, and waits.
func (c *CLI) send(ctx context.Context, cl *client.Client, stack string, in api.Deploy, wait waiting, limits []string) error {
	w, err := c.newWatch(ctx, cl, stack)
	if err != nil {
		return err
	}
	done, err := cl.DeployAs(ctx, stack, in)
	if err != nil {
		return fmt.Errorf("deploy %s: %w", stack, err)
	}
	w.expect(done)
	if changed := c.reportChanges(done); changed {
		for _, limit := range limits {
			c.notef("note: %s", limit)
		}
	}
	if wait.detach {
		return nil
	}
	return w.settle(ctx, wait.timeout)
}

// deployOf is a stack as it is sent.
func deployOf(stack *compose.Stack) api.Deploy {
	return api.Deploy{Services: namedSpecs(stack), Networks: stack.Networks}
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
