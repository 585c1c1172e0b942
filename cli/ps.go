package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cluster"
)

func (c *CLI) newTasks() *cobra.Command {
	var o output
	var all bool
	cmd := &cobra.Command{
		Use:               "ps [SERVICE|STACK]",
		Short:             "List the tasks",
		Args:              atMost("SERVICE"),
		ValidArgsFunction: c.completeFirst(serviceAndStackNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			query := client.TaskQuery{All: all}
			if len(args) > 0 {
				if query, err = taskQuery(cmd.Context(), cl, args[0]); err != nil {
					return err
				}
				query.All = all
			}
			tasks, err := cl.Tasks(cmd.Context(), query)
			if err != nil {
				return err
			}
			for i := range tasks {
				tasks[i].Ports = list0(tasks[i].Ports)
			}
			return list(c, o, tasks, func(t api.Task) string { return t.ID }, c.taskColumns())
		},
	}
	o.register(cmd, "print IDs alone")
	cmd.Flags().BoolVarP(&all, "all", "a", false, "ended tasks too")
	return cmd
}

// taskQuery selects the tasks of a service or of a stack.
func taskQuery(ctx context.Context, cl *client.Client, word string) (client.TaskQuery, error) {
	all, err := cl.Services(ctx, "")
	if err != nil {
		return client.TaskQuery{}, err
	}
	t, err := oneTarget(all, word)
	return client.TaskQuery{Stack: t.stack, Service: string(t.service)}, err
}

// taskColumns are those of every list of tasks.
func (c *CLI) taskColumns() []column[api.Task] {
	return []column[api.Task]{
		{title: "TASK", text: slotName},
		{title: "STATE", text: func(t api.Task) string { return t.State }, style: func(t api.Task) paint.Style { return paint.State(t.State) }},
		{title: "NODE", text: func(t api.Task) string { return orNone(t.Node) }},
		{title: "RESTARTS", text: func(t api.Task) string { return strconv.Itoa(t.Restarts) }},
		{title: "AGE", text: func(t api.Task) string { return c.age(t.Created) }},
		{title: "IMAGE", text: func(t api.Task) string { return t.Image }},
		{title: "PORTS", text: func(t api.Task) string { return orNone(taskPorts(t)) }},
		{title: "ID", text: func(t api.Task) string { return t.ID }},
		{title: "GENERATION", wide: true, text: func(t api.Task) string { return strconv.FormatUint(t.Generation, 10) }},
		{title: "HEALTH", wide: true, text: func(t api.Task) string { return orNone(t.Health) }},
		{title: "CONTAINER", wide: true, text: func(t api.Task) string { return orNone(shortDigest(t.ContainerID)) }},
		{title: "ADDRESSES", wide: true, text: func(t api.Task) string { return orNone(addressesText(t)) }},
		{title: "DEVICES", wide: true, text: func(t api.Task) string { return orNone(devicesText(t.Devices)) }},
		{title: "REASON", text: func(t api.Task) string { return listCause(t) }},
	}
}

// addressesText shows a task's own addresses: "10.194.0.2 (shop/default)".
func addressesText(t api.Task) string {
	var out []string
	for _, a := range t.Addresses {
		out = append(out, fmt.Sprintf("%s (%s)", a.Address, a.Network))
	}
	return strings.Join(out, ", ")
}

// devicesText shows a task's devices: "gpu/GPU-1, tty/a", and of one that it
// shares its part: "gpu/GPU-1 (0.5)".
func devicesText(devices []cluster.DeviceShare) string {
	var out []string
	for _, d := range devices {
		text := d.Kind + "/" + d.ID
		if d.Milli < cluster.WholeDevice {
			text += " (" + cluster.FormatCPU(d.Milli) + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// listCause leaves out the restarts, which have a column of their own.
func listCause(t api.Task) string {
	t.Restarts = 0
	return cause(t)
}

// taskPorts shows where a task's ports answer: "10.0.0.1:8080->80/tcp".
func taskPorts(t api.Task) string {
	var out []string
	for _, p := range t.Ports {
		out = append(out, portText(t.Address, p))
	}
	return strings.Join(out, ", ")
}

func portText(address string, p cluster.PortBinding) string {
	return fmt.Sprintf("%s:%d->%d/%s", address, p.Host, p.Target, p.Protocol)
}
