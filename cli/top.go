package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cli/top"
)

const topHelp = `Shows nodes, services, tasks and events with the CPU and memory that they really
use, and keeps them fresh. F1 or ? lists the keys, F10 or q leaves.

Where the output is no terminal, or with -o json or yaml, one snapshot is printed.
Nodes measure their tasks only while somebody looks.`

// topEvents is how much of the history is shown.
const topEvents = 200

func (c *CLI) newTop() *cobra.Command {
	var o output
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch nodes, services and tasks with what they use",
		Long:  topHelp,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < time.Second || every > time.Hour {
				return usagef("--every %s is not between 1s and 1h", every)
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			first, err := c.snapshot(cmd.Context(), cl)
			if err != nil {
				return err
			}
			if o.quiet || cmd.Flags().Changed("output") || !isTerminal(c.Stdout) || !isTerminal(c.Stdin) {
				return c.printSnapshot(o, first)
			}
			return top.Run(cmd.Context(), top.Options{
				Look:  func(ctx context.Context) (top.Snapshot, error) { return c.snapshot(ctx, cl) },
				Every: every, Color: c.color(c.Stdout), In: c.Stdin, Out: c.Stdout, Env: c.terminalEnv(), Now: c.Now,
			}, first)
		},
	}
	o.register(cmd, "print the IDs of the tasks alone")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "how often to look")
	return cmd
}

// terminalEnv is what the screen is told of the terminal.
func (c *CLI) terminalEnv() []string {
	var out []string
	for _, name := range []string{"TERM", "COLORTERM", "TERM_PROGRAM", "TMUX", "SSH_TTY"} {
		if v, ok := c.Env(name); ok {
			out = append(out, name+"="+v)
		}
	}
	return out
}

// snapshot asks for everything at once. A cluster that cannot measure its tasks
// is shown without.
func (c *CLI) snapshot(ctx context.Context, cl *client.Client) (top.Snapshot, error) {
	s := top.Snapshot{At: c.Now()}
	var tasks []api.Task
	var usage []api.TaskUsage
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { s.Status, err = cl.Status(ctx); return err })
	g.Go(func() (err error) { s.Nodes, err = cl.Nodes(ctx); return err })
	g.Go(func() (err error) { s.Services, err = cl.Services(ctx, ""); return err })
	g.Go(func() (err error) { tasks, err = cl.Tasks(ctx, client.TaskQuery{}); return err })
	g.Go(func() error {
		if found, err := cl.TaskUsage(ctx); err == nil {
			usage = found
		}
		return nil
	})
	g.Go(func() error {
		for e, err := range cl.Events(ctx, client.EventQuery{Tail: topEvents}) {
			if err != nil {
				return err
			}
			s.Events = append(s.Events, e)
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return top.Snapshot{}, err
	}
	s.Status.Voters, s.Status.Problems = list0(s.Status.Voters), list0(s.Status.Problems)
	s.Nodes, s.Services, s.Events = list0(s.Nodes), list0(s.Services), list0(s.Events)
	for i := range s.Services {
		s.Services[i].Ports = list0(s.Services[i].Ports)
	}
	s.Tasks = top.Measured(tasks, usage)
	for i := range s.Tasks {
		s.Tasks[i].Ports = list0(s.Tasks[i].Ports)
	}
	return s, nil
}

// topNews is how many events a printed snapshot ends with.
const topNews = 10

func (c *CLI) printSnapshot(o output, s top.Snapshot) error {
	if o.quiet {
		for _, t := range s.Tasks {
			c.printf("%s", t.ID)
		}
		return nil
	}
	return detail(c, o, s, "", func(w io.Writer) error {
		if err := c.writeStatus(w, s.Status); err != nil {
			return err
		}
		c.printf("")
		if err := list(c, o, s.Nodes, func(n api.Node) string { return n.ID }, nodeColumns); err != nil {
			return err
		}
		c.printf("")
		if err := list(c, o, s.Services, func(s api.Service) string { return s.Service }, serviceColumns); err != nil {
			return err
		}
		c.printf("")
		if err := list(c, o, s.Tasks, func(t top.Task) string { return t.ID }, c.measuredColumns()); err != nil {
			return err
		}
		c.printf("")
		for _, e := range s.Events[max(len(s.Events)-topNews, 0):] {
			if err := c.printEvent(eventOptions{}, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// measuredColumns are those of tasks, with what these use before their age.
func (c *CLI) measuredColumns() []column[top.Task] {
	var out []column[top.Task]
	for _, col := range c.taskColumns() {
		if col.title == "AGE" {
			out = append(out,
				column[top.Task]{title: "CPU", text: func(t top.Task) string {
					if t.CPUUsed == nil {
						return noValue
					}
					return fmt.Sprintf("%.2f", *t.CPUUsed)
				}},
				column[top.Task]{title: "MEMORY", text: func(t top.Task) string {
					return usedMemory(api.Node{MemoryUsed: t.MemoryUsed})
				}})
		}
		own := column[top.Task]{title: col.title, wide: col.wide, text: func(t top.Task) string { return col.text(t.Task) }}
		if col.style != nil {
			own.style = func(t top.Task) paint.Style { return col.style(t.Task) }
		}
		out = append(out, own)
	}
	return out
}
