package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// pushAtOnce is how many nodes receive a pushed image at a time.
const pushAtOnce = 2

// push is one image on its way to nodes that lack it.
type push struct {
	digest string
	from   cluster.NodeID // has the image
	ref    string         // given to the image on each node; "": none
}

// pushImage spreads an image that some node has, this one before others, and
// streams each node's result as it comes.
func pushImage(c *call) (any, error) {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxBody)
	var in api.PushImage
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	p, err := c.planPush(in.Image)
	if err != nil {
		return nil, err
	}
	targets, err := c.pushTargets(in.Nodes)
	if err != nil {
		return nil, err
	}
	out := c.lines()
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(c.ctx)
	g.SetLimit(pushAtOnce)
	for _, m := range targets {
		g.Go(func() error {
			r := c.pushTo(ctx, m, p)
			mu.Lock()
			defer mu.Unlock()
			return out.send(r) // fails when the reader is gone, which ends the others
		})
	}
	_ = g.Wait() // each result was told
	return streamed, nil
}

// planPush finds the image.
func (c *call) planPush(ref string) (push, error) {
	w, err := parseImage("image", ref)
	if err != nil {
		return push{}, err
	}
	p := push{from: c.Self, ref: w.tag()}
	p.digest, err = c.ownDigest(w)
	if err == nil || asError(err).Code != api.CodeNotFound {
		return p, err
	}
	other, silent, err := c.elsewhere(ref)
	if err == nil && other.digest == "" {
		err = api.Errorf(api.CodeNotFound, "%s", onNoNode(ref, silent)).
			WithHint("build it or pull it on one of them, or check the name with `muster image ls`")
	}
	p.digest, p.from = other.digest, other.node
	return p, err
}

// pushTargets are the named nodes, or all that are ready.
func (c *call) pushTargets(names []string) ([]api.Member, error) {
	members := c.Nodes.Members()
	var out []api.Member
	for _, m := range members {
		if len(names) == 0 && m.Condition == cluster.Ready {
			out = append(out, m)
		}
	}
	for _, name := range names {
		m, err := findMember(members, name)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// findMember finds a member by ID, name, or unambiguous ID prefix.
func findMember(members []api.Member, arg string) (api.Member, error) {
	var found []api.Member
	for _, m := range members {
		switch {
		case m.Name == arg || strings.EqualFold(string(m.ID), arg):
			return m, nil
		case arg != "" && strings.HasPrefix(string(m.ID), strings.ToUpper(arg)):
			found = append(found, m)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return api.Member{}, api.Errorf(api.CodeNotFound, "there is no node %q", arg).WithHint("`muster node ls` lists them")
	}
	return api.Member{}, api.Errorf(api.CodeConflict, "%d nodes go by %q", len(found), arg).WithHint("give the ID that `muster node ls` shows")
}

// pushTo lets one node fetch the image.
func (c *call) pushTo(ctx context.Context, m api.Member, p push) api.PushProgress {
	r, err := c.pushed(ctx, m, p)
	if err != nil {
		r = api.PushProgress{Status: "failed", Error: err.Error()}
	}
	r.Node = m.Name
	return r
}

func (c *call) pushed(ctx context.Context, m api.Member, p push) (r api.PushProgress, err error) {
	switch {
	case m.Condition != cluster.Ready:
		return r, fmt.Errorf("the node is %s", m.Condition)
	case m.ID == c.Self:
		return c.receive(ctx, p)
	}
	q := url.Values{"digest": {p.digest}, "from": {string(p.from)}, "ref": {p.ref}}
	body, err := c.Peers.Stream(ctx, m.ID, http.MethodPost, "/v1/node/image?"+q.Encode(), nil)
	if err != nil {
		return r, err
	}
	defer func() { _ = body.Close() }()
	if err := json.NewDecoder(io.LimitReader(body, maxBody)).Decode(&r); err != nil {
		return r, fmt.Errorf("read what node %s did: %w", m.Name, err)
	}
	return r, nil
}
