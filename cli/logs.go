package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cli/paint"
)

// logOptions are what `logs` takes.
type logOptions struct {
	output
	follow     bool
	timestamps bool
	tail       string
	since      string
}

func (c *CLI) newLogs() *cobra.Command {
	var o logOptions
	cmd := &cobra.Command{
		Use:               "logs SERVICE|STACK|TASK",
		Short:             "Show the output of tasks, merged in time",
		Long:              "Shows the output of a service, a stack or a task (SERVICE.SLOT, or an ID or its beginning).",
		Args:              exactly("SERVICE|STACK|TASK"),
		ValidArgsFunction: c.completeFirst(serviceAndStackNames, taskNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			query, err := c.logQuery(cmd.Context(), cl, args[0], o)
			if err != nil {
				return err
			}
			return c.logs(cmd.Context(), cl, query, o)
		},
	}
	o.format = formatTable
	f := cmd.Flags()
	f.VarP(&o.format, "output", "o", "how to print")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print the lines alone, without whose they are")
	f.BoolVarP(&o.follow, "follow", "f", false, "go on as lines come")
	f.BoolVarP(&o.timestamps, "timestamps", "t", false, "show when each line was written")
	f.StringVarP(&o.tail, "tail", "n", "all", "only the last `lines` of each task")
	f.StringVar(&o.since, "since", "", "only lines since a `time`: 10m, 2026-01-31T15:04:05Z")
	return cmd
}

// parseTail reads a number of lines or "all", which is -1.
func parseTail(s string) (int, error) {
	if s == "all" {
		return -1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, usagef("--tail %q is neither a number nor all", s)
	}
	return n, nil
}

func (c *CLI) logQuery(ctx context.Context, cl *client.Client, word string, o logOptions) (client.LogQuery, error) {
	query := client.LogQuery{Follow: o.follow}
	var err error
	if query.Tail, err = parseTail(o.tail); err != nil {
		return query, err
	}
	if query.Since, err = c.parseSince(o.since); err != nil {
		return query, err
	}
	all, err := cl.Services(ctx, "")
	if err != nil {
		return query, err
	}
	t, err := oneTarget(all, word)
	switch {
	case isUnknown(err):
		task, err := oneTask(ctx, cl, word)
		query.Task = task.ID
		return query, err
	case err == nil && t.service == "":
		query.Stack = t.stack
	case err == nil:
		query.Service = string(t.service)
	}
	return query, err
}

func (c *CLI) logs(ctx context.Context, cl *client.Client, query client.LogQuery, o logOptions) error {
	p := &logPrinter{c: c, o: o, color: c.color(c.Stdout)}
	for line, err := range cl.Logs(ctx, query) {
		if err != nil {
			return err
		}
		if err := p.print(line); err != nil {
			return err
		}
	}
	return nil
}

// logPrinter prints lines with whose they are in front.
type logPrinter struct {
	c     *CLI
	o     logOptions
	color bool
	width int // of the widest prefix so far
}

// palette tells tasks apart, not states.
var palette = []paint.Style{"\x1b[36m", "\x1b[35m", "\x1b[34m", "\x1b[33m", "\x1b[32m", "\x1b[96m", "\x1b[95m", "\x1b[94m"}

func (p *logPrinter) print(line api.LogLine) error {
	if p.o.format == formatJSON || p.o.format == formatYAML {
		return encodeLine(p.c.Stdout, p.o.format, line)
	}
	out := p.c.Stdout
	switch line.Stream {
	case "stderr":
		out = p.c.Stderr
	case "error":
		p.c.warnf("%s: %s", logPrefix(line), paint.Printable(line.Line))
		return nil
	}
	prefix := ""
	if !p.o.quiet {
		name := logPrefix(line)
		p.width = max(p.width, len(name))
		prefix = fmt.Sprintf("%-*s | ", p.width, name)
		if p.color {
			prefix = palette[hash(name)%len(palette)].On(prefix)
		}
	}
	if p.o.timestamps {
		prefix += line.At.Local().Format(time.RFC3339Nano) + " "
	}
	_, err := io.WriteString(out, prefix+line.Line+"\n")
	return err
}

// logPrefix is "shop/web.2.n1", the slot and the node that it is on.
func logPrefix(line api.LogLine) string {
	return fmt.Sprintf("%s.%d.%s", line.Service, line.Slot, line.Node)
}

func hash(s string) int {
	h := 0
	for _, b := range []byte(s) {
		h = (h*31 + int(b)) & 0xffff
	}
	return h
}
