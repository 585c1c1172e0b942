package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cli/paint"
)

// eventOptions are what `events` takes.
type eventOptions struct {
	output
	follow  bool
	tail    string
	since   string
	kind    string
	service string
	node    string
}

func (c *CLI) newEvents() *cobra.Command {
	var o eventOptions
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what happened in the cluster",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.since != "" && !cmd.Flags().Changed("tail") {
				o.tail = "all"
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			return c.events(cmd.Context(), cl, o)
		},
	}
	o.register(cmd, "print messages alone")
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on as things happen")
	f.StringVarP(&o.tail, "tail", "n", "100", "only the last `number` of events, or all that are kept; --since shows all")
	f.StringVar(&o.since, "since", "", "only events since a `time`: 10m, 2026-01-31T15:04:05Z")
	f.StringVar(&o.kind, "type", "", "only events of a `type`: node, service, task, image, cluster")
	f.StringVar(&o.service, "service", "", "only events of a `service`")
	f.StringVar(&o.node, "node", "", "only events of a `node`")
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"node", "service", "task", "image", "cluster"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("service", c.completeAll(serviceNames))
	_ = cmd.RegisterFlagCompletionFunc("node", c.completeAll(nodeNames))
	return cmd
}

func (c *CLI) events(ctx context.Context, cl *client.Client, o eventOptions) error {
	query := client.EventQuery{Type: o.kind, Node: o.node, Follow: o.follow}
	var err error
	if query.Tail, err = parseTail(o.tail); err != nil {
		return err
	}
	since, err := c.parseSince(o.since)
	if err != nil {
		return err
	}
	if o.service != "" {
		id, err := oneService(ctx, cl, o.service)
		if err != nil {
			return err
		}
		query.Service = string(id)
	}
	for e, err := range cl.Events(ctx, query) {
		if err != nil {
			return err
		}
		if e.At.Before(since) {
			continue
		}
		if err := c.printEvent(o, e); err != nil {
			return err
		}
	}
	return nil
}

func (c *CLI) printEvent(o eventOptions, e api.Event) error {
	switch {
	case o.quiet:
		c.printf("%s", paint.Printable(e.Message))
		return nil
	case o.format == formatJSON || o.format == formatYAML:
		return encodeLine(c.Stdout, o.format, e)
	}
	name := cmp.Or(e.Name, e.Service, e.Object)
	line := e.At.Local().Format(time.DateTime) + "  " + e.Type + " " + name + " " + e.Action
	if e.Node != "" && e.Type != "node" {
		line += " on " + e.Node
	}
	if e.Message != "" {
		line += ": " + e.Message
	}
	if e.Count > 1 {
		line += fmt.Sprintf(" (%d times since %s)", e.Count, e.First.Local().Format(time.DateTime))
	}
	if o.format == formatWide {
		line += "  (" + e.Object + ")"
	}
	_, err := io.WriteString(c.Stdout, paint.Printable(line)+"\n")
	return err
}
