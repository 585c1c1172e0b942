package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cluster"
)

const whyHelp = `Says why a task is where it is: what decided when it was given its node, which
nodes could take it now with every part of their scores, and which could not and
why. For a task that waits it also finds the smallest changes after which it
would fit. A task is SERVICE.SLOT, or an ID or its beginning.`

func (c *CLI) newWhy() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:               "why TASK|SERVICE",
		Short:             "Show why tasks are where they are, or wait",
		Long:              whyHelp,
		Args:              exactly("TASK|SERVICE"),
		ValidArgsFunction: c.completeFirst(serviceNames, taskNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			return c.why(cmd.Context(), cl, o, args[0])
		},
	}
	o.register(cmd, "print the names of the nodes that could take it, or what would have to change")
	return cmd
}

func (c *CLI) why(ctx context.Context, cl *client.Client, o output, word string) error {
	all, err := cl.Services(ctx, "")
	if err != nil {
		return err
	}
	if found := findServices(all, word); len(found) > 1 {
		return ambiguous(found, word)
	} else if len(found) == 1 {
		id := cluster.ServiceID(found[0].Service)
		s, err := cl.WhyService(ctx, id.Stack(), id.Name())
		if err != nil {
			return err
		}
		return detail(c, o, s, strings.Join(shortWhy(s.Tasks), "\n"), func(w io.Writer) error { return c.writeServiceWhy(w, s) })
	}
	t, err := oneTask(ctx, cl, word)
	if err != nil {
		return err
	}
	one, err := cl.Why(ctx, t.ID)
	if err != nil {
		return err
	}
	return detail(c, o, one, strings.Join(shortWhy([]api.Why{one}), "\n"), func(w io.Writer) error { return c.writeWhy(w, one) })
}

// shortWhy are the nodes that could take the tasks, or what would have to change.
func shortWhy(all []api.Why) []string {
	var out []string
	for _, w := range all {
		if w.Now == nil {
			continue
		}
		for _, n := range w.Now.Candidates {
			out = append(out, n.Node)
		}
		for _, p := range w.Now.Proposals {
			out = append(out, p.Text)
		}
	}
	return out
}

func (c *CLI) writeServiceWhy(w io.Writer, s api.ServiceWhy) error {
	if s.Problem != "" {
		c.printf("%s is set aside: %s", s.Service, s.Problem)
	}
	if len(s.Tasks) == 0 {
		c.printf("%s has no task that is to run", s.Service)
	}
	for i, t := range s.Tasks {
		if i > 0 && (t.Now != nil || s.Tasks[i-1].Now != nil) {
			c.printf("")
		}
		if err := c.writeWhy(w, t); err != nil {
			return err
		}
	}
	return nil
}

func (c *CLI) writeWhy(w io.Writer, why api.Why) error {
	t := why.Task
	if t.Node == "" {
		c.printf("%s is %s: %s", slotName(t), t.State, orNone(cause(t)))
	} else {
		c.printf("%s is %s on %s", slotName(t), t.State, t.Node)
	}
	if why.Kept != "" {
		c.printf("  chosen by %s", paint.Printable(why.Kept))
	}
	if why.Now == nil {
		return nil
	}
	return c.writePlacing(w, t, why.Now)
}

func (c *CLI) writePlacing(w io.Writer, t api.Task, p *api.Placing) error {
	if p.Invalid != "" {
		c.printf("  its service cannot be read: %s", p.Invalid)
		return nil
	}
	if p.Able > 0 {
		heading := "as things are now, of " + plural(p.Able, "node") + " that could take it"
		if t.Node == "" {
			heading = "it fits and is placed with the leader's next decision; " + plural(p.Able, "node") + " could take it"
		}
		c.printf("  %s:", heading)
		if err := c.candidates(p.Candidates).write(indented(w)); err != nil {
			return err
		}
	}
	for _, r := range p.Refused {
		names := strings.Join(r.Nodes, ", ")
		if more := r.Count - len(r.Nodes); more > 0 && names != "" {
			names += fmt.Sprintf(" and %d more", more)
		}
		c.printf("  not %s: %s", paint.Printable(orNone(names)), paint.Printable(r.Reason))
	}
	if p.Able > 0 || t.Node != "" {
		return nil
	}
	if len(p.Proposals) == 0 {
		c.printf("  no small change would make it fit")
	}
	for i, q := range p.Proposals {
		lead := "it would fit with"
		if i > 0 {
			lead = "or with"
		}
		c.printf("  %s: %s", lead, paint.Printable(q.Text))
	}
	return nil
}

// candidates is a table of the parts of scores that say something.
func (c *CLI) candidates(list []api.Candidate) *table {
	number := func(title string, of func(api.Candidate) int, unit string) column[api.Candidate] {
		return column[api.Candidate]{title: title, text: func(n api.Candidate) string { return strconv.Itoa(of(n)) + unit }}
	}
	rank := number("RANK", func(n api.Candidate) int { return n.Rank }, "")
	failed := number("FAILED", func(n api.Candidate) int { return n.Score.Failed }, "")
	service := number("SERVICE", func(n api.Candidate) int { return n.Score.Service }, "")
	affinity := number("AFFINITY", func(n api.Candidate) int { return n.Score.Affinity }, "%")
	tasks := number("TASKS", func(n api.Candidate) int { return n.Score.Tasks }, "")

	columns := []column[api.Candidate]{rank, {title: "NODE", text: candidateName, style: candidateStyle}}
	if slices.ContainsFunc(list, func(n api.Candidate) bool { return n.Score.Failed > 0 }) {
		columns = append(columns, failed)
	}
	if slices.ContainsFunc(list, func(n api.Candidate) bool { return n.Score.Crowded }) {
		columns = append(columns, column[api.Candidate]{title: "CPU", text: func(n api.Candidate) string {
			if n.Score.Crowded {
				return "crowded"
			}
			return noValue
		}})
	}
	for i, d := range list[0].Score.Spread {
		title := strings.ToUpper(strings.TrimPrefix(d.Label, "node.labels."))
		columns = append(columns, column[api.Candidate]{title: title, text: func(n api.Candidate) string {
			return fmt.Sprintf("%s (%d)", orNone(n.Score.Spread[i].Value), n.Score.Spread[i].Tasks)
		}})
	}
	columns = append(columns, service)
	if slices.ContainsFunc(list, func(n api.Candidate) bool { return n.Score.Near != "" }) {
		columns = append(columns, column[api.Candidate]{title: "NEAR", text: func(n api.Candidate) string { return n.Score.Near }})
	}
	share := func(title string, of func(api.Candidate) float64) column[api.Candidate] {
		return column[api.Candidate]{title: title, text: func(n api.Candidate) string { return fmt.Sprintf("%.2f%%", 100*of(n)) }}
	}
	for i, term := range list[0].Score.Cost {
		columns = append(columns, share(strings.ToUpper(term.Term), func(n api.Candidate) float64 { return n.Score.Cost[i].Cost }))
	}
	if slices.ContainsFunc(list, func(n api.Candidate) bool { return n.Score.Fetch > 0 }) {
		columns = append(columns, share("FETCH", func(n api.Candidate) float64 { return n.Score.Fetch }))
	}
	if slices.ContainsFunc(list, func(n api.Candidate) bool { return n.Score.Affinity != 0 }) {
		columns = append(columns, affinity)
	}
	columns = append(columns, tasks, column[api.Candidate]{title: "BEHIND BY", text: func(n api.Candidate) string { return n.Lost }})
	return tabulate(c, list, columns)
}

func candidateName(n api.Candidate) string {
	if n.Here {
		return n.Node + " (here)"
	}
	return n.Node
}

func candidateStyle(n api.Candidate) paint.Style {
	if n.Here {
		return paint.Green
	}
	return paint.Plain
}
