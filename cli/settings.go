package cli

import (
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

const settingsHelp = `Shows the settings of the whole cluster, or changes some:

  policy=NAME        how a node is chosen for services that name no x-muster.policy
  queue=NAME         who goes first among tasks of the same priority: priority, sjf, fair
  weight.STACK=N     the stack's share in the queue fair, 1 unless set; 0 takes it away
  network-pool=CIDR  where the addresses of networks, services and hosts come from; it
                     stays as it is while there are networks
  encrypt=on|off     whether the networks' traffic between hosts is encrypted

A change moves no task: it holds for those that are placed from then on.`

func (c *CLI) newSettings() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:               "settings [KEY=VALUE...]",
		Short:             "Show or change the settings of the cluster",
		Long:              settingsHelp,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: cobra.FixedCompletions([]string{"policy=", "queue=", "weight.", "network-pool=", "encrypt="}, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := settingsChange(args)
			if err != nil {
				return err
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			var s api.Settings
			if len(args) == 0 {
				s, err = cl.Settings(cmd.Context())
			} else if s, err = cl.Configure(cmd.Context(), change); err != nil {
				err = fmt.Errorf("change the settings: %w", err)
			}
			if err != nil {
				return err
			}
			return detail(c, o, s, settingsLines(s, "="), func(w io.Writer) error {
				_, err := fmt.Fprintln(w, settingsLines(s, "  "))
				return err
			})
		},
	}
	o.register(cmd, "print KEY=VALUE lines, as the verb takes them")
	return cmd
}

// settingsChange reads what is to be changed.
func settingsChange(args []string) (cluster.SettingsChange, error) {
	var out cluster.SettingsChange
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		stack, weight := strings.CutPrefix(key, "weight.")
		switch {
		case !ok:
			return out, usagef("%q is not of the form KEY=VALUE, such as queue=fair", arg)
		case key == "policy":
			policy := cluster.Policy(value)
			out.Policy = &policy
		case key == "queue":
			queue := cluster.QueueOrder(value)
			out.Queue = &queue
		case key == "network-pool":
			pool, err := netip.ParsePrefix(value)
			if err != nil {
				return out, usagef("%q is not a range of addresses, such as network-pool=%s", value, cluster.DefaultNetworkPool)
			}
			out.NetworkPool = &pool
		case key == "encrypt":
			encrypt := cluster.Encryption(value)
			out.Encrypt = &encrypt
		case weight && stack != "":
			n, err := strconv.ParseFloat(value, 64)
			if err != nil || n < 0 {
				return out, usagef("%q is not a weight, such as %s=2", value, key)
			}
			if out.Weights == nil {
				out.Weights = map[string]float64{}
			}
			out.Weights[stack] = n
		default:
			return out, usagef("there is no setting %q: there are policy, queue, network-pool, encrypt and weight.STACK", key)
		}
	}
	return out, nil
}

// settingsLines is a line for each setting.
func settingsLines(s api.Settings, between string) string {
	lines := []string{"policy" + between + string(s.Policy), "queue" + between + string(s.Queue)}
	if s.NetworkPool.IsValid() { // an agent that is older says nothing of it
		lines = append(lines, "network-pool"+between+s.NetworkPool.String(), "encrypt"+between+string(s.Encrypt))
	}
	for _, stack := range slices.Sorted(maps.Keys(s.Weights)) {
		lines = append(lines, fmt.Sprintf("weight.%s%s%g", stack, between, s.Weights[stack]))
	}
	return strings.Join(lines, "\n")
}
