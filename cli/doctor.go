package cli

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/doctor"
)

const doctorHelp = `Examines every node and the ways between them: ports in both directions, packet
sizes, clocks, disks, memory, the container engine, the kernel, limits and the
agent's unit. What is not well comes with what to do about it.

On a host that is in no cluster yet it examines that host alone; with ADDR, HOST or
HOST:PORT of a node, also the way to it, as before a join.

The exit code is 1 when a check fails; warnings leave it at 0.`

func (c *CLI) newDoctor() *cobra.Command {
	var o output
	var all bool
	cmd := &cobra.Command{
		Use:   "doctor [ADDR]",
		Short: "Find out what is not well with hosts and networks",
		Long:  doctorHelp,
		Args:  atMost("ADDR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && !isAddress(args[0]) {
				return usagef("%q is neither HOST nor HOST:PORT", args[0])
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			local, err := cl.Local(cmd.Context())
			if err != nil {
				return err
			}
			var found []api.Finding
			switch {
			case len(args) > 0:
				found, err = cl.DoctorLocal(cmd.Context(), args[0])
			case local.ClusterID == "":
				found, err = cl.DoctorLocal(cmd.Context(), "")
			default:
				found, err = cl.Doctor(cmd.Context())
			}
			if err != nil {
				return err
			}
			return c.showFindings(o, found, all)
		},
	}
	o.register(cmd, "print nothing but what fails, one NODE CHECK a line")
	cmd.Flags().BoolVarP(&all, "all", "a", false, "what is well, too")
	return cmd
}

// isAddress reports whether s can be a host, with a port or without.
func isAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = s, "1"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && host != "" && !strings.ContainsAny(host, " /@?#") && (!strings.Contains(host, ":") || net.ParseIP(host) != nil)
}

// showFindings prints all as data, and for people what is not well, unless they
// want all.
func (c *CLI) showFindings(o output, found []api.Finding, all bool) error {
	counts := map[string]int{}
	var shown []api.Finding
	for _, f := range found {
		counts[f.Status]++
		switch {
		case o.quiet && f.Status == api.CheckFail, !o.quiet && (all || f.Status != api.CheckOK):
			shown = append(shown, f)
		}
	}
	data := o.format == formatJSON || o.format == formatYAML
	if data && !o.quiet {
		shown = found
	}
	if len(shown) > 0 || data {
		if err := list(c, o, shown, func(f api.Finding) string { return f.Node + " " + f.Name }, findingColumns); err != nil {
			return err
		}
	}
	if !data && !o.quiet {
		c.adviseOn(shown)
		c.printf("%s: %d ok, %d to look at, %d failed", plural(len(found), "check"), counts[api.CheckOK], counts[api.CheckWarn], counts[api.CheckFail])
	}
	if doctor.Failed(found) {
		return &exitStatus{code: exitError}
	}
	return nil
}

var findingColumns = []column[api.Finding]{
	{title: "NODE", text: func(f api.Finding) string { return f.Node }},
	{title: "CHECK", text: func(f api.Finding) string { return f.Name }},
	{title: "STATUS", text: func(f api.Finding) string { return f.Status }, style: func(f api.Finding) paint.Style { return findingStyle(f.Status) }},
	{title: "FOUND", text: func(f api.Finding) string { return f.Found }},
}

func findingStyle(status string) paint.Style {
	return map[string]paint.Style{api.CheckOK: paint.Green, api.CheckWarn: paint.Yellow, api.CheckFail: paint.Red}[status]
}

// adviseOn says what to do, each thing once with the nodes that it is for.
func (c *CLI) adviseOn(found []api.Finding) {
	nodes := map[string]string{}
	var order []string
	for _, f := range found {
		if f.Advice == "" {
			continue
		}
		if nodes[f.Advice] == "" {
			order = append(order, f.Advice)
			nodes[f.Advice] = fmt.Sprintf("%s on %s", f.Name, f.Node)
		} else {
			nodes[f.Advice] += ", " + f.Node
		}
	}
	for _, advice := range order {
		c.printf("\n%s:\n  %s", paint.Printable(nodes[advice]), paint.Printable(advice))
	}
	if len(found) > 0 {
		c.printf("")
	}
}
