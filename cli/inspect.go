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
	"github.com/musterhq/muster/cluster"
)

func (c *CLI) newInspect() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:               "inspect SERVICE|STACK|NODE|TASK",
		Short:             "Show everything about one thing",
		Long:              "Shows everything about a service, a stack, a node or a task (SERVICE.SLOT, or an ID or its beginning).",
		Args:              exactly("SERVICE|STACK|NODE|TASK"),
		ValidArgsFunction: c.completeFirst(serviceAndStackNames, nodeNames, taskNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			return c.inspect(cmd.Context(), cl, o, args[0])
		},
	}
	o.register(cmd, "print the ID alone")
	return cmd
}

// inspect shows the first thing that word names: service, stack, node, task.
func (c *CLI) inspect(ctx context.Context, cl *client.Client, o output, word string) error {
	all, err := cl.Services(ctx, "")
	if err != nil {
		return err
	}
	switch found := findServices(all, word); {
	case len(found) == 1:
		id := cluster.ServiceID(found[0].Service)
		s, err := cl.Service(ctx, id.Stack(), id.Name())
		if err != nil {
			return err
		}
		return c.showService(o, s)
	case len(found) > 1 && found[0].Stack == word:
		st, err := cl.Stack(ctx, word)
		if err != nil {
			return err
		}
		return c.showStack(o, st)
	}
	n, err := cl.Node(ctx, word)
	switch {
	case err == nil:
		return c.showNode(o, n)
	case !client.NotFound(err):
		return err
	}
	task, err := oneTask(ctx, cl, word)
	switch {
	case isUnknown(err):
		return fmt.Errorf("there is no service, stack, node or task %q; see: muster ls, muster node ls, muster ps -a", word)
	case err != nil:
		return err
	}
	t, err := cl.Task(ctx, task.ID)
	if err != nil {
		return err
	}
	return c.showTask(o, t)
}

func (c *CLI) showService(o output, s api.ServiceDetail) error {
	s.Tasks, s.Ports = list0(s.Tasks), list0(s.Ports)
	return detail(c, o, s, s.Service.Service, func(w io.Writer) error {
		t := table{color: c.color(w)}
		for _, row := range [][2]string{
			{"Service", s.Service.Service},
			{"Mode", s.Mode},
			{"Running", fmt.Sprintf("%d of %d, %d healthy", s.Running, s.Desired, s.Healthy)},
			{"Generation", strconv.FormatUint(s.Generation, 10)},
			{"Created", s.Created.Local().Format(time.DateTime)},
			{"Updated", s.Updated.Local().Format(time.DateTime)},
			{"Ports", servicePorts(s.Service)},
			{"Address", orNone(s.Address)},
			{"Problem", orNone(serviceProblem(s.Service))},
		} {
			t.add(cell{text: row[0]}, cell{text: row[1]})
		}
		if err := t.write(w); err != nil {
			return err
		}
		c.printf("\nSpec:")
		if err := encode(indented(w), formatYAML, s.Spec); err != nil {
			return err
		}
		if len(s.Tasks) == 0 {
			return nil
		}
		c.printf("")
		return list(c, o, s.Tasks, func(t api.Task) string { return t.ID }, c.taskColumns())
	})
}

func (c *CLI) showStack(o output, st api.StackStatus) error {
	st.Services, st.Tasks = list0(st.Services), list0(st.Tasks)
	return detail(c, o, st, st.Stack, func(io.Writer) error {
		if err := list(c, o, st.Services, func(s api.Service) string { return s.Service }, serviceColumns); err != nil || len(st.Tasks) == 0 {
			return err
		}
		c.printf("")
		return list(c, o, st.Tasks, func(t api.Task) string { return t.ID }, c.taskColumns())
	})
}

func (c *CLI) showTask(o output, t api.TaskDetail) error {
	t.Ports = list0(t.Ports)
	return detail(c, o, t, t.ID, func(w io.Writer) error {
		tab := table{color: c.color(w)}
		for _, row := range [][2]string{
			{"ID", t.ID},
			{"Task", slotName(t.Task)},
			{"State", t.State},
			{"Desired", t.Desired},
			{"Why", cause(t.Task)},
			{"Node", t.Node},
			{"Chosen", t.Why},
			{"Image", t.Image},
			{"Container", t.ContainerID},
			{"Ports", taskPorts(t.Task)},
			{"Addresses", addressesText(t.Task)},
			{"Devices", devicesText(t.Devices)},
			{"Health", t.Health},
			{"Generation", strconv.FormatUint(t.Generation, 10)},
			{"Replaces", t.Replaces},
			{"Created", moment(t.Created)},
			{"Started", moment(t.Started)},
			{"Finished", moment(t.Finished)},
		} {
			tab.add(cell{text: row[0]}, cell{text: orNone(row[1])})
		}
		if err := tab.write(w); err != nil || t.Template == nil {
			return err
		}
		c.printf("\nTemplate:")
		return encode(indented(w), formatYAML, t.Template)
	})
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}
