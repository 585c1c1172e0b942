package cli

import (
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cluster"
)

func (c *CLI) newNodeInspect() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:               "inspect NODE",
		Short:             "Show everything about a node",
		Args:              exactly("NODE"),
		ValidArgsFunction: c.completeFirst(nodeNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			n, err := cl.Node(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.showNode(o, n)
		},
	}
	o.register(cmd, "print the ID alone")
	return cmd
}

func (c *CLI) showNode(o output, n api.NodeDetail) error {
	n.TaskList = list0(n.TaskList)
	return detail(c, o, n, n.ID, func(w io.Writer) error {
		if err := c.writeNode(w, n); err != nil || len(n.TaskList) == 0 {
			return err
		}
		c.printf("")
		return list(c, o, n.TaskList, func(t api.Task) string { return t.ID }, c.taskColumns())
	})
}

func (c *CLI) writeNode(w io.Writer, n api.NodeDetail) error {
	state := n.State
	if !n.Since.IsZero() {
		state += " for " + c.age(n.Since)
	}
	if n.Reason != "" {
		state += ": " + n.Reason
	}
	t := table{color: c.color(w)}
	for _, row := range [][2]string{
		{"ID", n.ID},
		{"Name", n.Name},
		{"Address", n.Address},
		{"State", state},
		{"Availability", n.Availability},
		{"Role", n.Role},
		{"Labels", joinLabels(n.Labels)},
		{"CPU", cores(n.CPUs) + " cores, " + cores(n.CPUAllocated) + " allocated, " + usedCPU(n.Node) + " used"},
		{"Memory", cluster.FormatBytes(n.Memory) + ", " + cluster.FormatBytes(n.MemAllocated) + " allocated, " + usedMemory(n.Node) + " used"},
		{"Disk", known(n.Disk, cluster.FormatBytes) + ", " + cluster.FormatBytes(n.DiskAllocated) + " allocated"},
		{"Bandwidth", known(n.Bandwidth, cluster.FormatBandwidth) + ", " + cluster.FormatBandwidth(n.RateAllocated) + " allocated"},
		{"GPUs", cores(n.GPUs) + ", " + cores(n.GPUsAllocated) + " allocated"},
		{"Platform", n.OS + "/" + n.Arch},
		{"Engine", n.EngineVersion},
		{"Engine error", n.EngineError},
		{"Version", n.Version},
		{"Joined", n.Joined.Local().Format(time.DateTime)},
	} {
		if row[1] == "" && row[0] == "Engine error" || row[0] == "GPUs" && n.GPUs == 0 && n.GPUsAllocated == 0 {
			continue
		}
		s := paint.Plain
		if row[0] == "State" {
			s = paint.State(n.State)
		}
		t.add(cell{text: row[0]}, cell{text: orNone(row[1]), style: s})
	}
	for i, d := range n.Devices {
		head := ""
		if i == 0 {
			head = "Devices"
		}
		t.add(cell{text: head}, cell{text: deviceText(d)})
	}
	return t.write(w)
}

// deviceText shows one device: "gpu/GPU-1, Tesla T4, 0.5 allocated".
func deviceText(d api.NodeDevice) string {
	text := d.Kind + "/" + d.ID
	if d.Model != "" {
		text += ", " + d.Model
	}
	return text + ", " + cores(d.Allocated) + " allocated"
}

func joinLabels(labels map[string]string) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, key+"="+labels[key])
	}
	return strings.Join(out, ", ")
}
