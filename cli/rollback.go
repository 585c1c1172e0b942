package cli

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// note is the flag of verbs whose reason is kept.
type note struct{ message string }

func (n *note) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&n.message, "message", "m", "", "why; kept in the service's history")
}

// said is the note with its author: the local user at this machine.
func (n note) said() cluster.Note {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil && name != "" {
		name += "@" + host
	}
	return cluster.Note{Author: name[:min(len(name), cluster.MaxAuthor)], Message: n.message}
}

func (c *CLI) newRollback() *cobra.Command {
	var w waiting
	var why note
	cmd := &cobra.Command{
		Use:               "rollback SERVICE [GENERATION]",
		Short:             "Take a service back to an earlier generation, the last good one by default",
		Args:              between(1, 2, "SERVICE", "GENERATION"),
		ValidArgsFunction: c.completeFirst(serviceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			to := uint64(0)
			if len(args) > 1 {
				n, err := generationArg(args[1])
				if err != nil {
					return err
				}
				to = n
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			return c.change(cmd.Context(), cl, args[:1], w, func(ctx context.Context, _ int, id cluster.ServiceID) (api.Deployed, error) {
				done, err := cl.Rollback(ctx, id.Stack(), id.Name(), to, why.said())
				if err != nil {
					return done, fmt.Errorf("roll back %s: %w", id, err)
				}
				return done, nil
			})
		},
	}
	why.register(cmd)
	w.register(cmd, "do not wait until the service is healthy")
	return cmd
}

func generationArg(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 {
		return 0, usagef("%q is not the number of a generation; muster history lists them", s)
	}
	return n, nil
}

func (c *CLI) newPromote() *cobra.Command {
	var w waiting
	var why note
	cmd := &cobra.Command{
		Use:               "promote SERVICE",
		Short:             "Give all tasks of a service the generation that its canary has",
		Args:              exactly("SERVICE"),
		ValidArgsFunction: c.completeFirst(serviceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			return c.change(cmd.Context(), cl, args, w, func(ctx context.Context, _ int, id cluster.ServiceID) (api.Deployed, error) {
				s, err := cl.Service(ctx, id.Stack(), id.Name())
				if err != nil {
					return api.Deployed{}, err
				}
				done, err := cl.Promote(ctx, id.Stack(), id.Name(), s.Generation, why.said())
				if err != nil {
					return done, fmt.Errorf("promote %s: %w", id, err)
				}
				return done, nil
			})
		},
	}
	why.register(cmd)
	w.register(cmd, "do not wait until the service is healthy")
	return cmd
}
