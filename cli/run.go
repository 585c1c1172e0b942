package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/compose"
)

const runHelp = `Deploys one service in a stack of the same name, without a file, and waits until
it runs. What stands behind IMAGE is the container's command. Ports, volumes and
variables are written as in a Compose file's short forms.

With --rm it runs once: its output is shown, its exit code returned, and nothing
is left of it.`

// runOptions are what `run` takes.
type runOptions struct {
	waiting
	logins
	name        string
	replicas    int
	ports       []string
	env         []string
	volumes     []string
	cpus        float64
	memory      string
	constraints []string
	once        bool // --rm
}

func (c *CLI) newRun() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run [flags] IMAGE [COMMAND] [ARG...]",
		Short: "Deploy one service from an image",
		Long:  runHelp,
		Example: `  muster run --name web --replicas 3 -p 8080:80 nginx:1.27
  muster run --rm alpine:3 cat /etc/os-release`,
		Args:              atLeast("IMAGE"),
		ValidArgsFunction: c.completeFirst(imageNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd); err != nil {
				return err
			}
			if o.name == "" {
				o.name = makeName(args[0])
			}
			stack, err := c.runStack(cmd.Context(), o, args[0], args[1:])
			if err != nil {
				return err
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			if o.send {
				if err := c.sendLogins(cmd.Context(), cl, stack); err != nil {
					return err
				}
			}
			return c.run(cmd.Context(), cl, stack, o)
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false)
	o.waiting.register(cmd, "do not wait until it runs")
	o.logins.register(cmd)
	f.StringVar(&o.name, "name", "", "`name` of stack and service (default: made from the image's)")
	f.IntVar(&o.replicas, "replicas", 1, "number of tasks")
	f.StringArrayVarP(&o.ports, "publish", "p", nil, "publish a `port`, as 8080:80; repeatable")
	f.StringArrayVarP(&o.env, "env", "e", nil, "set a variable, `NAME=VALUE`, or NAME to take it from here; repeatable")
	f.StringArrayVarP(&o.volumes, "volume", "v", nil, "mount a `volume`, as data:/var/lib/data; repeatable")
	f.Float64Var(&o.cpus, "cpus", 0, "cores it may use and that are kept for it")
	f.StringVar(&o.memory, "memory", "", "memory it may use and that is kept for it, `size` as 512M")
	f.StringArrayVar(&o.constraints, "constraint", nil, "run only where `rule` holds, as node.labels.zone==a; repeatable")
	f.BoolVar(&o.once, "rm", false, "run once, show the output, return the exit code, remove it")
	return cmd
}

func (o *runOptions) check(cmd *cobra.Command) error {
	switch {
	case o.once && o.detach:
		return usagef("--rm waits for the end, and -d does not wait: leave one out")
	case o.once && o.replicas != 1:
		return usagef("--rm runs one task: leave --replicas out")
	case o.replicas < 0:
		return usagef("--replicas %d is negative", o.replicas)
	case o.cpus < 0:
		return usagef("--cpus %g is negative", o.cpus)
	case cmd.Flags().Changed("name") && o.name == "":
		return usagef("--name is empty")
	}
	return nil
}

// run deploys the stack, unless its name is taken: run makes, deploy changes.
func (c *CLI) run(ctx context.Context, cl *client.Client, stack *compose.Stack, o runOptions) error {
	switch there, err := cl.Stack(ctx, stack.Name); {
	case client.NotFound(err):
	case err != nil:
		return err
	case len(there.Services) > 0:
		return fmt.Errorf("there is a stack %s already; remove it with: muster rm %s (or choose another --name)", stack.Name, stack.Name)
	}
	if o.once {
		return c.runOnce(ctx, cl, stack, o)
	}
	return c.deploy(ctx, cl, stack, o.waiting, note{})
}
