package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
)

const rebalanceHelp = `Moves tasks that run to nodes that would be better for them now: after a node
joined or came back, or when load is uneven. It lists the moves and asks first.
With start-first services another task is ready before one stops; at most one task
of a service moves at a time, and 20 begin to a minute. What has not moved within
an hour stays. Tasks with volumes or binds stay unless --stateful is given.
The exit code of --plan is 4 where there is something to move, else 0.`

func (c *CLI) newRebalance() *cobra.Command {
	var w waiting
	var o output
	var why note
	var ask api.Rebalance
	var plan, callOff bool
	cmd := &cobra.Command{
		Use:               "rebalance [--plan] [--pack] [SERVICE...]",
		Short:             "Move running tasks to better nodes",
		Long:              rebalanceHelp,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: c.completeAll(serviceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if !plan && (o.quiet || o.format != formatTable) {
				return usagef("-o and -q are for --plan")
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			if ask.Services, err = servicesOf(ctx, cl, args); err != nil {
				return err
			}
			if callOff {
				return c.callOffMoves(ctx, cl, ask.Services)
			}
			p, err := cl.Rebalance(ctx, ask)
			if err != nil {
				return fmt.Errorf("rebalance: %w", err)
			}
			if plan {
				return c.showRebalance(o, p)
			}
			return c.rebalance(ctx, cl, p, why, w)
		},
	}
	o.register(cmd, "print nothing: the exit code says it")
	why.register(cmd)
	w.register(cmd, "do not wait until the tasks have moved")
	f := cmd.Flags()
	f.BoolVar(&plan, "plan", false, "only list the moves")
	f.BoolVar(&ask.Pack, "pack", false, "empty hosts, in place of evening out the load")
	f.BoolVar(&ask.Stateful, "stateful", false, "move tasks with volumes or binds, too; what is in them stays behind")
	f.BoolVar(&callOff, "cancel", false, "have tasks that have not moved yet stay")
	return cmd
}

// servicesOf are those that the words mean; all of a stack for its name.
func servicesOf(ctx context.Context, cl *client.Client, words []string) ([]string, error) {
	if len(words) == 0 {
		return nil, nil
	}
	all, err := cl.Services(ctx, "")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, word := range words {
		found := findServices(all, word)
		if len(found) == 0 {
			return nil, noService(all, word)
		}
		out = append(out, serviceIDs(found)...)
	}
	return out, nil
}

func (c *CLI) showRebalance(o output, p api.RebalancePlan) error {
	var err error
	switch {
	case o.quiet:
	case o.format == formatJSON || o.format == formatYAML:
		err = encode(c.Stdout, o.format, p)
	default:
		err = c.writeMoves(c.Stdout, p)
	}
	if err == nil && len(p.Moves) > 0 {
		return &exitStatus{code: exitChanges}
	}
	return err
}

func (c *CLI) writeMoves(w io.Writer, p api.RebalancePlan) error {
	if len(p.Moves) == 0 {
		c.printf("no task would be better elsewhere")
	} else {
		t := table{color: c.color(w)}
		t.add(cell{text: "SLOT"}, cell{text: "FROM"}, cell{text: "TO"}, cell{text: "GAIN"}, cell{text: "WHY"})
		for _, m := range p.Moves {
			t.add(cell{text: moveName(m)}, cell{text: m.From}, cell{text: m.To}, cell{text: fmt.Sprintf("%.2f", m.Gain)}, cell{text: m.Why})
		}
		if err := t.write(w); err != nil {
			return err
		}
	}
	for _, l := range p.Left {
		c.notef("%s stays as it is: %s", l.Service, l.Reason)
	}
	return nil
}

func moveName(m api.PlannedMove) string { return slotName(api.Task{Service: m.Service, Slot: m.Slot}) }

// rebalance makes the moves that it lists, if the user agrees.
func (c *CLI) rebalance(ctx context.Context, cl *client.Client, p api.RebalancePlan, why note, w waiting) error {
	if err := c.writeMoves(c.Stdout, p); err != nil || len(p.Moves) == 0 {
		return err
	}
	if err := c.confirm(ctx, "move "+plural(len(p.Moves), "task")); err != nil {
		return err
	}
	done, err := cl.Move(ctx, api.Moves{Moves: p.Moves, Note: why.said()})
	if err != nil {
		return fmt.Errorf("rebalance: %w", err)
	}
	left := p.Moves
	for _, r := range done.Refused {
		c.notef("%s: %s", r.Task, r.Reason)
		left = slices.DeleteFunc(left, func(m api.PlannedMove) bool { return m.Task == r.Task })
	}
	if w.detach {
		return nil
	}
	return c.awaitMoves(ctx, cl, left, w)
}

// awaitMoves waits until none of the tasks is to leave its node any more.
func (c *CLI) awaitMoves(ctx context.Context, cl *client.Client, left []api.PlannedMove, w waiting) error {
	stayed := 0
	err := c.poll(ctx, w.timeout, func(ctx context.Context) (bool, error) {
		tasks, err := cl.Tasks(ctx, client.TaskQuery{})
		if err != nil {
			return false, err
		}
		left = slices.DeleteFunc(left, func(m api.PlannedMove) bool {
			i := slices.IndexFunc(tasks, func(t api.Task) bool { return t.ID == m.Task })
			switch {
			case i < 0:
				c.printf("%s has left %s", moveName(m), m.From)
				return true
			case tasks[i].Leaving == "" && tasks[i].Desired == "running":
				stayed++
				c.notef("%s stays on %s", moveName(m), m.From)
				return true
			}
			return false
		})
		return len(left) == 0, nil
	})
	switch {
	case errors.Is(err, errTimedOut):
		return &exitStatus{exitUnhealthy, fmt.Errorf("%s still to move after %s, such as %s; the cluster goes on; to end it: muster rebalance --cancel",
			plural(len(left), "task"), w.timeout, moveName(left[0]))}
	case err != nil:
		return c.detached(err, "the tasks go on moving; to end it: muster rebalance --cancel")
	case stayed > 0:
		return fmt.Errorf("%s did not move; see: muster rebalance --plan", plural(stayed, "task"))
	}
	return nil
}

// callOffMoves has tasks that have not left their nodes yet stay; of all services
// where none are named.
func (c *CLI) callOffMoves(ctx context.Context, cl *client.Client, services []string) error {
	if services == nil {
		all, err := cl.Services(ctx, "")
		if err != nil {
			return err
		}
		services = serviceIDs(all)
	}
	if _, err := cl.Move(ctx, api.Moves{Services: services}); err != nil {
		return fmt.Errorf("call moves off: %w", err)
	}
	c.printf("tasks that have not moved yet stay")
	return nil
}
