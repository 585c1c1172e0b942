package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cluster"
)

const pruneHelp = `Removes images that Muster brought to the nodes, that their registry can give again, and that no container, no task and
no kept version of a service needs. With --all those too that Muster did not bring and that may be nowhere else:
built, loaded or pulled by hand.`

func (c *CLI) newImagePrune() *cobra.Command {
	var p api.PruneImages
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove images that nobody needs from the nodes",
		Long:  pruneHelp,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			if !p.DryRun {
				if err := c.confirm(cmd.Context(), pruneQuestion(p)); err != nil {
					return err
				}
			}
			return c.prune(cmd.Context(), cl, p)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&p.All, "all", "a", false, "also images that Muster did not bring")
	f.BoolVar(&p.DryRun, "dry-run", false, "only list the images that would go")
	f.StringArrayVarP(&p.Nodes, "node", "n", nil, "only on this `node`; repeatable (default: all that are ready)")
	_ = cmd.RegisterFlagCompletionFunc("node", c.completeAll(nodeNames))
	return cmd
}

func pruneQuestion(p api.PruneImages) string {
	what, where := "remove the images that Muster brought and nobody needs", "all nodes"
	if p.All {
		what = "remove all images that no container and no service needs, also those that no registry can give again,"
	}
	if len(p.Nodes) > 0 {
		where = strings.Join(p.Nodes, ", ")
	}
	return what + " from " + where
}

func (c *CLI) prune(ctx context.Context, cl *client.Client, p api.PruneImages) error {
	var failed []string
	for r, err := range cl.PruneImages(ctx, p) {
		if err != nil {
			return fmt.Errorf("remove images that nobody needs: %w", err)
		}
		c.pruned(r, p.DryRun)
		if r.Error != "" {
			failed = append(failed, r.Node)
		}
	}
	if len(failed) > 0 {
		slices.Sort(failed)
		return fmt.Errorf("not done on %s; run it again when the reason is gone", strings.Join(failed, ", "))
	}
	return nil
}

// pruned prints what one node did.
func (c *CLI) pruned(r api.PrunedImages, dryRun bool) {
	switch n := plural(len(r.Images), "image"); {
	case r.Error != "":
		c.printf("%s: failed: %s", r.Node, paint.Printable(r.Error))
	case dryRun:
		c.printf("%s: %s would go", r.Node, n)
	default:
		c.printf("%s: %s removed, %s freed", r.Node, n, cluster.FormatBytes(r.Freed))
	}
	for _, i := range r.Images {
		name := i.Name
		if name == i.ID {
			name = ""
		} else if at := strings.Index(name, "sha256:"); at >= 0 {
			name = name[:at] + shortDigest(name[at:])
		}
		c.printf("  %s  %s  %s", orNone(paint.Printable(name)), shortDigest(i.ID), cluster.FormatBytes(i.Size))
	}
}
