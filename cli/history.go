package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cli/paint"
)

func (c *CLI) newHistory() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:               "history SERVICE",
		Short:             "List the generations of a service",
		Args:              exactly("SERVICE"),
		ValidArgsFunction: c.completeFirst(serviceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			id, err := oneService(cmd.Context(), cl, args[0])
			if err != nil {
				return err
			}
			generations, err := cl.History(cmd.Context(), id.Stack(), id.Name())
			if err != nil {
				return err
			}
			return list(c, o, generations, func(g api.Generation) string { return strconv.FormatUint(g.Generation, 10) }, historyColumns(o))
		},
	}
	o.register(cmd, "print numbers alone")
	return cmd
}

// historyReason is how much of a reason a line of history has room for; -o wide
// shows all of it. An engine's error can be of any length.
const historyReason = 80

func historyColumns(o output) []column[api.Generation] {
	reason := func(g api.Generation) string { return shorten(g.Reason, historyReason) }
	if o.format == formatWide {
		reason = func(g api.Generation) string { return g.Reason }
	}
	return []column[api.Generation]{
		{title: "GENERATION", text: generationNumber},
		{title: "STATE", text: func(g api.Generation) string { return orNone(g.State) }, style: generationStyle},
		{title: "TASKS", text: func(g api.Generation) string { return strconv.Itoa(g.Tasks) }},
		{title: "IMAGE", text: func(g api.Generation) string { return g.Image }},
		{title: "AUTHOR", text: func(g api.Generation) string { return orNone(g.Author) }},
		{title: "MESSAGE", text: func(g api.Generation) string { return orNone(g.Message) }},
		{title: "REASON", text: reason},
	}
}

// generationNumber marks the one that the service has.
func generationNumber(g api.Generation) string {
	n := strconv.FormatUint(g.Generation, 10)
	if g.Current {
		n += " *"
	}
	return n
}

func generationStyle(g api.Generation) paint.Style {
	switch g.State {
	case "good", api.RolledBack:
		return paint.Plain
	case "failed", "paused":
		return paint.Red
	}
	return paint.Yellow
}
