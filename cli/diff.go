package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cluster"
)

func (c *CLI) newDiff() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:               "diff SERVICE A B",
		Short:             "Show what two generations of a service differ in",
		Args:              exactly("SERVICE", "A", "B"),
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
			all, err := cl.History(cmd.Context(), id.Stack(), id.Name())
			if err != nil {
				return err
			}
			var sides [2]api.Generation
			for i, arg := range args[1:] {
				if sides[i], err = generation(all, arg, id); err != nil {
					return err
				}
			}
			changes, err := differences(sides[0].Template, sides[1].Template)
			if err != nil {
				return err
			}
			if o.quiet || o.format == formatJSON || o.format == formatYAML {
				return list(c, o, changes, func(d difference) string { return d.Field }, nil)
			}
			c.printDifferences("", changes)
			return nil
		},
	}
	o.register(cmd, "print fields alone")
	return cmd
}

func generation(all []api.Generation, number string, id cluster.ServiceID) (api.Generation, error) {
	n, err := generationArg(number)
	if err != nil {
		return api.Generation{}, err
	}
	for _, g := range all {
		if g.Generation == n {
			return g, nil
		}
	}
	return api.Generation{}, fmt.Errorf("generation %d of %s is not kept; muster history %s lists those that are", n, id, id)
}

// difference is one field of a specification that two versions differ in; an
// empty side lacks it.
type difference struct {
	Field string `json:"field"` // "container.image.ref"
	Old   string `json:"old"`   // as JSON
	New   string `json:"new"`
}

// differences compares two values of one type by their JSON, in field order.
func differences(a, b any) ([]difference, error) {
	before, after := map[string]string{}, map[string]string{}
	for _, side := range []struct {
		from any
		to   map[string]string
	}{{a, before}, {b, after}} {
		raw, err := json.Marshal(side.from)
		if err != nil {
			return nil, fmt.Errorf("compare: %w", err)
		}
		flatten("", raw, side.to)
	}
	out := []difference{}
	for field, old := range before {
		if now := after[field]; now != old {
			out = append(out, difference{field, old, now})
		}
	}
	for field, now := range after {
		if _, there := before[field]; !there {
			out = append(out, difference{field, "", now})
		}
	}
	slices.SortFunc(out, func(a, b difference) int { return cmp.Compare(a.Field, b.Field) })
	return out, nil
}

// flatten notes the leaves of a JSON object by their path; a list is one.
func flatten(path string, raw json.RawMessage, into map[string]string) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || fields == nil {
		into[path] = string(raw)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		at := name
		if path != "" {
			at = path + "." + name
		}
		flatten(at, fields[name], into)
	}
}

func (c *CLI) printDifferences(indent string, changes []difference) {
	color := c.color(c.Stdout)
	line := func(style paint.Style, sign, field, value string) {
		if value == "" {
			return
		}
		text := paint.Printable(fmt.Sprintf("%s%s %s: %s", indent, sign, field, value))
		if color {
			text = style.On(text)
		}
		c.printf("%s", text)
	}
	for _, d := range changes {
		line(paint.Red, "-", d.Field, d.Old)
		line(paint.Green, "+", d.Field, d.New)
	}
}
