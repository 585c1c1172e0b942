package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// maxRemoved bounds the images of one report: each makes an event.
const maxRemoved = 100

// pruneImages has nodes remove images that nobody needs, and streams each
// node's result as it comes.
func pruneImages(c *call) (any, error) {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxBody)
	var in api.PruneImages
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	targets, err := c.pushTargets(in.Nodes)
	if err != nil {
		return nil, err
	}
	in.Nodes = nil
	out := c.lines()
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(c.ctx)
	g.SetLimit(askAtOnce)
	for _, m := range targets {
		g.Go(func() error {
			r, err := c.pruned(ctx, m, in)
			if err != nil {
				r.Error = err.Error()
			}
			r.Node = m.Name
			mu.Lock()
			defer mu.Unlock()
			return out.send(r) // fails when the reader is gone, which ends the others
		})
	}
	_ = g.Wait() // each result was told
	return streamed, nil
}

func (c *call) pruned(ctx context.Context, m api.Member, p api.PruneImages) (r api.PrunedImages, err error) {
	switch {
	case m.Condition != cluster.Ready:
		return r, fmt.Errorf("the node is %s", m.Condition)
	case m.ID == c.Self:
		return c.Images.Prune(ctx, p)
	}
	body, err := json.Marshal(p)
	if err != nil {
		return r, err
	}
	answer, err := c.Peers.Stream(ctx, m.ID, http.MethodPost, "/v1/node/images/prune", strings.NewReader(string(body)))
	if err != nil {
		return r, err
	}
	defer func() { _ = answer.Close() }()
	if err := json.NewDecoder(io.LimitReader(answer, maxBody)).Decode(&r); err != nil {
		return r, fmt.Errorf("read what node %s did: %w", m.Name, err)
	}
	return r, nil
}

// nodePruneImages removes images of this host.
func nodePruneImages(c *call) (any, error) {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxBody)
	var in api.PruneImages
	if err := c.decodePeer(&in); err != nil {
		return nil, err
	}
	return c.Images.Prune(c.ctx, in)
}

// nodeImagesRemoved puts into the history what a node removed from its host.
func nodeImagesRemoved(c *call) (any, error) {
	var in api.ImagesRemoved
	if err := c.decodePeer(&in); err != nil {
		return nil, err
	}
	if err := c.ownNode(in.Node); err != nil {
		return nil, err
	}
	if v, _ := c.State.View(); !keepsImages(v) {
		return nil, nil
	}
	note := state.NoteImages{Node: in.Node}
	for _, i := range in.Images[:min(len(in.Images), maxRemoved)] {
		note.Removed = append(note.Removed, state.RemovedImage(i))
	}
	_, err := c.propose("", note)
	return nil, err
}
