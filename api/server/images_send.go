package server

import (
	"errors"
	"io"
	"net/http"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// imageAsk reads which image another node wants.
func (c *call) imageAsk() (api.ImageAsk, error) {
	q := c.r.URL.Query()
	a := api.ImageAsk{ID: q.Get("id"), To: cluster.NodeID(c.caller.NodeID), Idle: q.Get("idle") == "true"}
	_, err := parseImage("id", a.ID)
	return a, err
}

// nodeImageConfig answers the configuration of an image whose layers can be had.
func nodeImageConfig(c *call) (any, error) {
	a, err := c.imageAsk()
	if err != nil {
		return nil, err
	}
	config, err := c.Images.Config(c.ctx, a)
	if err != nil {
		return nil, err
	}
	c.w.Header().Set("Content-Type", "application/json")
	_, _ = c.w.Write(config) // the caller is gone: nobody to tell
	return streamed, nil
}

// nodeImageLayers streams the layers of an image that the caller lacks.
func nodeImageLayers(c *call) (any, error) {
	a, err := c.imageAsk()
	if err != nil {
		return nil, err
	}
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxBody)
	var want api.ImageParts
	if err := c.decodePeer(&want); err != nil {
		return nil, err
	}
	return c.send(a, func(w io.Writer) error { return c.Images.Send(c.ctx, a, want.Layers, w) })
}

// nodeImage streams one image as a tar archive.
func nodeImage(c *call) (any, error) {
	a, err := c.imageAsk()
	if err != nil {
		return nil, err
	}
	return c.send(a, func(w io.Writer) error { return c.Images.Whole(c.ctx, a, w) })
}

// send streams what write writes. Too many at once are refused as unavailable:
// whoever asks tries another node, or again.
func (c *call) send(a api.ImageAsk, write func(io.Writer) error) (any, error) {
	c.w.Header().Set("Content-Type", "application/octet-stream")
	out := &begun{w: c.w}
	err := write(out)
	switch {
	case err == nil:
		return streamed, nil
	case out.any:
		panic(http.ErrAbortHandler) // the one way to tell a reader that the rest is missing
	case errors.Is(err, runtime.ErrNotFound):
		return nil, api.Errorf(api.CodeNotFound, "this node has no image %s", a.ID)
	}
	return nil, err
}

// begun remembers whether anything was written.
type begun struct {
	w   io.Writer
	any bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.any = true
	return b.w.Write(p)
}
