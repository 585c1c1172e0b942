package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cluster"
)

func (c *CLI) newImage() *cobra.Command {
	return group("image", "Images on the nodes", c.newImagePush(), c.newImageList(), c.newImagePrune())
}

func (c *CLI) newImageList() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the images on the nodes",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			images, err := cl.Images(cmd.Context())
			if err != nil {
				return err
			}
			for i := range images {
				images[i].Tags, images[i].Nodes = list0(images[i].Tags), list0(images[i].Nodes)
			}
			return list(c, o, images, func(i api.Image) string { return i.ID }, imageColumns)
		},
	}
	o.register(cmd, "print IDs alone")
	return cmd
}

var imageColumns = []column[api.Image]{
	{title: "IMAGE", text: func(i api.Image) string { return orNone(strings.Join(i.Tags, ", ")) }},
	{title: "ID", text: func(i api.Image) string { return shortDigest(i.ID) }},
	{title: "SIZE", text: func(i api.Image) string { return cluster.FormatBytes(i.Size) }},
	{title: "NODES", text: func(i api.Image) string { return strconv.Itoa(len(i.Nodes)) }},
	{title: "ON", wide: true, text: func(i api.Image) string { return strings.Join(slices.Sorted(slices.Values(i.Nodes)), ", ") }},
}

func (c *CLI) newImagePush() *cobra.Command {
	var nodes []string
	cmd := &cobra.Command{
		Use:               "push IMAGE",
		Short:             "Copy an image that one node has to the nodes that lack it",
		Args:              exactly("IMAGE"),
		ValidArgsFunction: c.completeFirst(imageNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			failed := 0
			for p, err := range cl.PushImage(cmd.Context(), api.PushImage{Image: args[0], Nodes: nodes}) {
				if err != nil {
					return fmt.Errorf("push %s: %w", args[0], err)
				}
				if p.Status == "failed" {
					failed++
				}
				c.printf("%s", pushLine(p))
			}
			if failed > 0 {
				return fmt.Errorf("push %s: %s did not get it; run it again when they can", args[0], plural(failed, "node"))
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&nodes, "node", nil, "only to this `node`; repeatable (default: all that are ready)")
	_ = cmd.RegisterFlagCompletionFunc("node", c.completeAll(nodeNames))
	return cmd
}

func pushLine(p api.PushProgress) string {
	if p.Error != "" {
		return fmt.Sprintf("%s: %s: %s", p.Node, p.Status, paint.Printable(p.Error))
	}
	return fmt.Sprintf("%s: %s", p.Node, p.Status)
}
