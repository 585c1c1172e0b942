package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api/client"
)

const rootHelp = `Muster turns Docker hosts into one machine.

  sudo muster agent                          on every host (or: systemctl start muster)
  muster init                                on the first: makes the cluster
  muster join ADDR --token T                 on every other
  muster deploy -f compose.yaml              from any of them

Every flag can be given in the environment: --no-color as MUSTER_NO_COLOR=1.
Lists are separated by commas there.`

func (c *CLI) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "muster",
		Short:         "Turns Docker hosts into one machine",
		Long:          rootHelp,
		Args:          cobra.ArbitraryArgs,
		RunE:          chooseVerb,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return c.applyEnv(cmd)
		},
		SuggestionsMinimumDistance: 2,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%v", err) })
	flags := root.PersistentFlags()
	flags.StringVarP(&c.host, "host", "H", client.DefaultHost, "agent to talk to: unix://PATH or ssh://[user@]host[:port][/PATH]")
	flags.BoolVarP(&c.yes, "yes", "y", false, "answer yes to every question")
	flags.BoolVar(&c.noColor, "no-color", false, "no colours (also NO_COLOR)")

	add := func(id, title string, verbs ...*cobra.Command) {
		root.AddGroup(&cobra.Group{ID: id, Title: title})
		for _, v := range verbs {
			v.GroupID = id
			root.AddCommand(v)
		}
	}
	add("work", "Deploy and change:",
		c.newDeploy(), c.newPlan(), c.newValidate(), c.newRun(), c.newScale(), c.newRestart(),
		c.newRollback(), c.newPromote(), c.newRebalance(), c.newRedirect(), c.newRemove())
	add("look", "Look:",
		c.newStatus(), c.newTop(), c.newList(), c.newTasks(), c.newInspect(), c.newHistory(), c.newDiff(), c.newLogs(), c.newEvents(), c.newExec(), c.newWhy(),
		c.newSimulate())
	add("cluster", "Cluster:",
		c.newAgent(), c.newDataPlane(), c.newInit(), c.newJoin(), c.newLeave(), c.newNode(), c.newToken(), c.newCA(), c.newKey(), c.newSettings(), c.newImage(), c.newNetwork(), c.newDoctor())
	root.AddCommand(c.newVersion(), c.newDialStdio())
	root.InitDefaultCompletionCmd()
	if shells, _, err := root.Find([]string{"completion"}); err == nil {
		shells.Args, shells.RunE = cobra.ArbitraryArgs, chooseVerb
	}
	completeNothing(root)
	return root
}

// group makes a verb that only holds others.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: chooseVerb, SuggestionsMinimumDistance: 2}
	g.AddCommand(verbs...)
	return g
}

// chooseVerb is what a verb that only holds others does by itself.
func chooseVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	near := cmd.SuggestionsFor(args[0])
	if len(near) == 0 {
		return usagef("there is no verb %q", args[0])
	}
	return usagef("there is no verb %q; did you mean %s?", args[0], strings.Join(near, " or "))
}
