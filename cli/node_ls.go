package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cluster"
)

func (c *CLI) newNodeList() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the nodes",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			nodes, err := cl.Nodes(cmd.Context())
			if err != nil {
				return err
			}
			return list(c, o, nodes, func(n api.Node) string { return n.ID }, nodeColumns)
		},
	}
	o.register(cmd, "print IDs alone")
	return cmd
}

var nodeColumns = []column[api.Node]{
	{title: "NAME", text: func(n api.Node) string { return n.Name }},
	{title: "STATE", text: func(n api.Node) string { return n.State }, style: func(n api.Node) paint.Style { return paint.State(n.State) }},
	{title: "AVAILABILITY", text: func(n api.Node) string { return n.Availability }},
	{title: "ROLE", text: func(n api.Node) string { return n.Role }},
	{title: "CPU", text: func(n api.Node) string { return usedCPU(n) + "/" + cores(n.CPUs) }},
	{title: "MEMORY", text: func(n api.Node) string { return usedMemory(n) + "/" + cluster.FormatBytes(n.Memory) }},
	{title: "TASKS", text: func(n api.Node) string { return strconv.Itoa(n.Tasks) }},
	{title: "ADDRESS", text: func(n api.Node) string { return n.Address }},
	{title: "DISK", wide: true, text: func(n api.Node) string { return known(n.Disk, cluster.FormatBytes) }},
	{title: "BANDWIDTH", wide: true, text: func(n api.Node) string { return known(n.Bandwidth, cluster.FormatBandwidth) }},
	{title: "GPUS", wide: true, text: func(n api.Node) string { return cores(n.GPUs) }},
	{title: "ID", wide: true, text: func(n api.Node) string { return n.ID }},
}

// known writes an amount that nodes may know nothing of.
func known(n int64, format func(int64) string) string {
	if n == 0 {
		return noValue
	}
	return format(n)
}

func usedCPU(n api.Node) string {
	if n.CPUUsed == nil {
		return noValue
	}
	return strconv.FormatFloat(*n.CPUUsed, 'f', 2, 64)
}

func usedMemory(n api.Node) string {
	if n.MemoryUsed == nil {
		return noValue
	}
	return cluster.FormatBytes(*n.MemoryUsed)
}
