package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cluster"
)

func (c *CLI) newNetwork() *cobra.Command {
	return group("network", "Look at the networks of stacks", c.newNetworkList(), c.newNetworkInspect())
}

func (c *CLI) newNetworkList() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the networks",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			networks, err := cl.Networks(cmd.Context())
			if err != nil {
				return err
			}
			return list(c, o, networks, func(n api.Network) string { return n.ID }, networkColumns)
		},
	}
	o.register(cmd, "print names alone")
	return cmd
}

var networkColumns = []column[api.Network]{
	{title: "NETWORK", text: func(n api.Network) string { return n.ID }},
	{title: "SUBNET", text: func(n api.Network) string { return n.Subnet }},
	{title: "NUMBER", text: func(n api.Network) string { return strconv.FormatUint(uint64(n.Number), 10) }},
	{title: "SHARED", text: func(n api.Network) string { return yesNo(n.Shared) }},
	{title: "INTERNAL", text: func(n api.Network) string { return yesNo(n.Internal) }},
	{title: "SERVICES", text: func(n api.Network) string { return strconv.Itoa(len(n.Services)) }},
	{title: "TASKS", text: func(n api.Network) string { return strconv.Itoa(n.Tasks) }},
	{title: "GATEWAY", wide: true, text: func(n api.Network) string { return n.Gateway }},
	{title: "FREE", wide: true, text: func(n api.Network) string { return strconv.Itoa(n.Free) }},
	{title: "DECLARED", wide: true, text: func(n api.Network) string { return yesNo(!n.Undeclared) }},
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (c *CLI) newNetworkInspect() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:               "inspect NETWORK",
		Short:             "Show everything about a network",
		Long:              "Shows a network, STACK/NETWORK as muster network ls prints it: who is in it, and under which addresses and aliases.",
		Args:              exactly("NETWORK"),
		ValidArgsFunction: c.completeFirst(networkNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			stack, name, ok := strings.Cut(args[0], "/")
			if !ok {
				stack, name = args[0], cluster.DefaultNetwork
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			n, err := cl.Network(cmd.Context(), stack, name)
			if err != nil {
				return err
			}
			return c.showNetwork(o, n)
		},
	}
	o.register(cmd, "print the ID alone")
	return cmd
}

func (c *CLI) showNetwork(o output, n api.NetworkDetail) error {
	n.Services, n.Members, n.Addresses = list0(n.Services), list0(n.Members), list0(n.Addresses)
	return detail(c, o, n, n.ID, func(w io.Writer) error {
		t := table{color: c.color(w)}
		for _, row := range [][2]string{
			{"Network", n.ID},
			{"Number", strconv.FormatUint(uint64(n.Number), 10)},
			{"Subnet", n.Subnet},
			{"Gateway", n.Gateway},
			{"Shared", yesNo(n.Shared)},
			{"Internal", yesNo(n.Internal)},
			{"Declared", yesNo(!n.Undeclared)},
			{"Addresses", fmt.Sprintf("%d held, %d free", n.Tasks, n.Free)},
			{"Created", n.Created.Local().Format(time.DateTime)},
		} {
			t.add(cell{text: row[0]}, cell{text: row[1]})
		}
		if err := t.write(w); err != nil {
			return err
		}
		for _, members := range []*table{tabulate(c, n.Members, memberColumns), tabulate(c, n.Addresses, addressColumns)} {
			if len(members.rows) == 1 {
				continue
			}
			c.printf("")
			if err := members.write(w); err != nil {
				return err
			}
		}
		return nil
	})
}

var memberColumns = []column[api.NetworkMember]{
	{title: "SERVICE", text: func(m api.NetworkMember) string { return m.Service }},
	{title: "ADDRESS", text: func(m api.NetworkMember) string { return orNone(m.Address) }},
	{title: "ALIASES", text: func(m api.NetworkMember) string { return orNone(strings.Join(m.Aliases, ", ")) }},
}

var addressColumns = []column[api.NetworkAddress]{
	{title: "TASK", text: func(a api.NetworkAddress) string { return slotName(api.Task{Service: a.Service, Slot: a.Slot}) }},
	{title: "ADDRESS", text: func(a api.NetworkAddress) string { return a.Address }},
	{title: "NODE", text: func(a api.NetworkAddress) string { return orNone(a.Node) }},
	{title: "ID", text: func(a api.NetworkAddress) string { return a.Task }},
}

func networkNames(ctx context.Context, cl *client.Client) ([]string, error) {
	networks, err := cl.Networks(ctx)
	out := make([]string, len(networks))
	for i, n := range networks {
		out[i] = n.ID
	}
	return out, err
}
