package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cluster"
)

func (c *CLI) newScale() *cobra.Command {
	var w waiting
	cmd := &cobra.Command{
		Use:               "scale SERVICE=N...",
		Short:             "Set how many tasks services have",
		Args:              atLeast("SERVICE=N"),
		ValidArgsFunction: c.completeScale,
		RunE: func(cmd *cobra.Command, args []string) error {
			counts := make([]int, len(args))
			names := make([]string, len(args))
			for i, arg := range args {
				name, number, ok := strings.Cut(arg, "=")
				n, err := strconv.Atoi(number)
				if !ok || err != nil || n < 0 || name == "" {
					return usagef("%q is not of the form SERVICE=N, such as shop/web=3", arg)
				}
				names[i], counts[i] = name, n
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			return c.change(cmd.Context(), cl, names, w, func(ctx context.Context, i int, id cluster.ServiceID) (api.Deployed, error) {
				done, err := cl.Scale(ctx, id.Stack(), id.Name(), counts[i])
				if err != nil {
					err = fmt.Errorf("scale %s to %d: %w", id, counts[i], err)
				}
				return done, err
			})
		},
	}
	w.register(cmd, "do not wait until the services are healthy")
	return cmd
}

// change resolves every name before it writes the first one, writes them in
// order, and waits for each stack that was touched.
func (c *CLI) change(ctx context.Context, cl *client.Client, names []string, wait waiting,
	write func(ctx context.Context, i int, id cluster.ServiceID) (api.Deployed, error),
) error {
	ids := make([]cluster.ServiceID, len(names))
	watches := map[string]*watch{}
	var order []*watch
	for i, name := range names {
		id, err := oneService(ctx, cl, name)
		if err != nil {
			return err
		}
		ids[i] = id
		if watches[id.Stack()] == nil {
			w, err := c.newWatch(ctx, cl, id.Stack())
			if err != nil {
				return err
			}
			watches[id.Stack()] = w
			order = append(order, w)
		}
	}
	for i, id := range ids {
		done, err := write(ctx, i, id)
		if err != nil {
			return err
		}
		c.reportChanges(done)
		watches[id.Stack()].expect(done)
	}
	if wait.detach {
		return nil
	}
	for _, w := range order {
		if err := w.settle(ctx, wait.timeout); err != nil {
			return err
		}
	}
	return nil
}
