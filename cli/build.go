package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cli/buildctx"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/compose"
)

// buildImages builds the images of a stack that have a recipe on the agent's
// host, gives them to all nodes, and binds the services to what was built.
func (c *CLI) buildImages(ctx context.Context, cl *client.Client, stack *compose.Stack) error {
	for i := range stack.Services {
		s := &stack.Services[i]
		if s.Build == nil {
			continue
		}
		image := &s.Spec.Template.Container.Image
		id, err := c.build(ctx, cl, image.Ref, *s.Build)
		if err != nil {
			return fmt.Errorf("build the image of %s/%s: %w", stack.Name, s.Name, err)
		}
		*image = cluster.Image{Ref: image.Ref, Digest: id}
		if err := c.spread(ctx, cl, image.Ref); err != nil {
			return fmt.Errorf("copy the image of %s/%s to the nodes: %w", stack.Name, s.Name, err)
		}
	}
	return nil
}

// build sends the directory and returns the image's ID.
func (c *CLI) build(ctx context.Context, cl *client.Client, tag string, b compose.Build) (id string, err error) {
	if info, err := os.Stat(b.Context); err != nil {
		return "", fmt.Errorf("its context must be a directory here: %w", err)
	} else if !info.IsDir() {
		return "", fmt.Errorf("its context %s is not a directory", b.Context)
	}
	c.printf("building %s from %s", tag, b.Context)
	archive, writer := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := buildctx.Write(ctx, writer, b.Context, b.Dockerfile)
		writer.CloseWithError(err)
		packed <- err
	}()
	id, err = c.buildOutput(cl.BuildImage(ctx, client.Build{Tag: tag, Dockerfile: b.Dockerfile, Target: b.Target, Args: b.Args}, archive))
	_ = archive.Close()
	if packErr := <-packed; packErr != nil && !errors.Is(packErr, io.ErrClosedPipe) {
		return "", packErr
	}
	return id, err
}

// buildOutput prints the builder's lines and returns what its last one says.
func (c *CLI) buildOutput(lines func(func(api.BuildLine, error) bool)) (id string, err error) {
	for line, err := range lines {
		switch {
		case err != nil:
			return "", err
		case line.Error != "":
			return "", errors.New(paint.Printable(line.Error))
		case line.ID != "":
			id = line.ID
		case line.Line != "":
			c.printf("  %s", paint.Printable(line.Line))
		}
	}
	if id == "" {
		return "", errors.New("the builder ended without an image")
	}
	return id, nil
}

// spread copies a built image; a node that does not get it is a warning, since
// placement can do without it.
func (c *CLI) spread(ctx context.Context, cl *client.Client, image string) error {
	for p, err := range cl.PushImage(ctx, api.PushImage{Image: image}) {
		switch {
		case err != nil:
			return err
		case p.Status == "failed":
			c.warnf("node %s does not have %s: %s", p.Node, image, paint.Printable(p.Error))
		}
	}
	return nil
}
