package cli

import (
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cli/paint"
)

func (c *CLI) newStatus() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the cluster at a glance",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			s, err := cl.Status(cmd.Context())
			if err != nil {
				return err
			}
			s.Voters, s.Problems = list0(s.Voters), list0(s.Problems)
			return detail(c, o, s, s.ClusterID, func(w io.Writer) error { return c.writeStatus(w, s) })
		},
	}
	o.register(cmd, "print the cluster's ID alone")
	return cmd
}

// list0 makes an absent list an empty one, so that it is [] in JSON.
func list0[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

func (c *CLI) writeStatus(w io.Writer, s api.Status) error {
	health := cell{"healthy", paint.Green}
	if !s.Healthy {
		health = cell{"not healthy", paint.Red}
	}
	t := table{color: c.color(w)}
	t.add(cell{text: "Cluster"}, cell{text: orNone(s.ClusterID)})
	t.add(cell{text: "Health"}, health)
	t.add(cell{text: "Leader"}, cell{text: orNone(s.Leader)})
	t.add(cell{text: "Voters"}, cell{text: orNone(strings.Join(s.Voters, ", "))})
	t.add(cell{text: "Nodes"}, cell{text: strconv.Itoa(s.Nodes)})
	t.add(cell{text: "Services"}, cell{text: strconv.Itoa(s.Services)})
	t.add(cell{text: "Tasks"}, cell{text: strconv.Itoa(s.Tasks)})
	rows := func(title string, lines []string) {
		for _, line := range lines {
			t.add(cell{text: title}, cell{text: line})
			title = ""
		}
	}
	if s.Encrypt != "" {
		t.add(cell{text: "Encryption"}, cell{s.Encrypt + ": traffic between hosts is plain", paint.Yellow})
	}
	rows("Redirected", s.Redirects)
	rows("Problems", s.Problems)
	return t.write(w)
}
