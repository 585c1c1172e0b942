package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cluster"
)

const planHelp = `Shows what muster deploy would change, and what would follow: the tasks to start,
replace, move and stop and on which nodes, the images to fetch and from where, and
how few tasks of a service are ready in between. Nothing is changed, and images
that are to be built are not. The exit code is 4 where there is something to do,
else 0.
--out keeps the plan in a file, for muster deploy --plan FILE.`

func (c *CLI) newPlan() *cobra.Command {
	var files []string
	var o output
	var out string
	cmd := &cobra.Command{
		Use:               "plan [-f FILE] [STACK]",
		Short:             "Show what a deploy would do",
		Long:              planHelp,
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
			plan, err := cl.Plan(cmd.Context(), stack.Name, deployOf(stack))
			if err != nil {
				return fmt.Errorf("plan %s: %w", stack.Name, err)
			}
			if err := c.showPlan(o, plan); err != nil {
				return err
			}
			if out != "" {
				if err := savePlan(out, plan); err != nil {
					return err
				}
			}
			if changes(plan) {
				return &exitStatus{code: exitChanges}
			}
			return nil
		},
	}
	registerFiles(cmd, &files)
	cmd.Flags().StringVar(&out, "out", "", "keep the plan in `FILE`")
	o.register(cmd, "print nothing: the exit code says it")
	return cmd
}

func changes(p api.Plan) bool {
	return len(p.NetworkChanges) > 0 || slices.ContainsFunc(p.Services, func(s api.PlannedService) bool { return s.Action != "unchanged" })
}

func (c *CLI) showPlan(o output, p api.Plan) error {
	switch {
	case o.quiet:
		return nil
	case o.format == formatJSON || o.format == formatYAML:
		return encode(c.Stdout, o.format, p)
	case !changes(p):
		c.printf("%s: unchanged", p.Stack)
		return nil
	}
	for _, n := range p.NetworkChanges {
		c.printf("%s", paint.Printable(fmt.Sprintf("network %s: to be %s, %s", n.Network, n.Action, n.Message)))
	}
	for _, s := range p.Services {
		if s.Action == "unchanged" {
			continue
		}
		c.printf("%s: %s", s.Service, willBe(s))
		if s.Old == nil || s.New == nil {
			continue
		}
		diff, err := differences(s.Old, s.New)
		if err != nil {
			return err
		}
		c.printDifferences("  ", diff)
	}
	for _, t := range p.Tasks {
		c.printTask(t)
	}
	for _, v := range p.Victims {
		c.printf("%s", victimText(v))
	}
	for _, i := range p.Images {
		c.printf("%s", fetchText(i))
	}
	for _, l := range p.Lowest {
		c.printf("lowest point of %s: %d of %d ready", l.Service, l.Ready, l.Before)
	}
	if !p.Ends {
		c.warnf("no end of this is in sight; the plan shows how far it was followed")
	}
	return nil
}

// fetchText says where an image is brought from: its registry is asked first.
func fetchText(i api.PlannedImage) string {
	size, from := "", ""
	if i.Size > 0 {
		size = " (" + cluster.FormatBytes(i.Size) + ")"
	}
	holders := strings.Join(i.Holders, ", ")
	switch {
	case i.Registry && holders != "":
		from = " from its registry, or else from " + holders
	case i.Registry:
		from = " from its registry"
	case holders != "":
		from = " from " + holders
	case i.Holders != nil:
		from = ": no ready node is known to have it"
	}
	return paint.Printable(fmt.Sprintf("fetch %s%s on %s%s", i.Image, size, strings.Join(i.Nodes, ", "), from))
}

// willBe is what becomes of a service.
func willBe(s api.PlannedService) string {
	if s.Action == "updated" || s.Action == "created" {
		return fmt.Sprintf("to be %s, generation %d", s.Action, s.Generation)
	}
	return "to be " + s.Action
}

func (c *CLI) printTask(t api.PlannedTask) {
	style := paint.Yellow
	switch t.Action {
	case "start":
		style = paint.Green
	case "pending", "stop":
		style = paint.Red
	}
	text := paint.Printable(fmt.Sprintf("%-7s  %s", t.Action, stepLine(t)))
	if c.color(c.Stdout) {
		text = style.On(text)
	}
	c.printf("%s", text)
}

// stepLine says where a change of the tasks happens.
func stepLine(t api.PlannedTask) string {
	task := fmt.Sprintf("%s.%d", t.Service, t.Slot)
	switch t.Action {
	case "start":
		return task + " on " + t.Node
	case "pending":
		return task + ": " + t.Reason
	case "stop":
		return task + " on " + orNone(t.Node)
	}
	return fmt.Sprintf("%s on %s by one on %s", task, orNone(t.From), t.Node)
}
