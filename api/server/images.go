package server

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

const (
	// askAtOnce is how many members are asked the same question at a time.
	askAtOnce   = 8
	askDeadline = 10 * time.Second
	// askSilence is how long a member may say nothing at all: one that lives
	// answers its health at once, whatever it has to look up.
	askSilence = time.Second
)

// listImages answers the images of all nodes that answer, this one first.
func listImages(c *call) (any, error) {
	here, err := c.ownImages("")
	if err != nil {
		return nil, err
	}
	m := imageList{byID: map[string]*api.Image{}}
	m.add(c.nodeName(c.Self), here)
	for _, a := range ask[[]api.NodeImage](c, "/v1/node/images") {
		if a.err == nil {
			m.add(a.Name, a.value)
		}
	}
	return m.sorted(), nil
}

// imageList merges what nodes have.
type imageList struct{ byID map[string]*api.Image }

func (l imageList) add(node string, images []api.NodeImage) {
	for _, i := range images {
		m := l.byID[i.ID]
		if m == nil {
			m = &api.Image{ID: i.ID, Tags: []string{}, Size: i.Size}
			l.byID[i.ID] = m
		}
		for _, t := range i.Tags {
			if !slices.Contains(m.Tags, t) && !strings.HasPrefix(t, runtime.PeerRepository+":") {
				m.Tags = append(m.Tags, t)
			}
		}
		m.Nodes = append(m.Nodes, node)
	}
}

func (l imageList) sorted() []api.Image {
	out := make([]api.Image, 0, len(l.byID))
	for _, i := range l.byID {
		slices.Sort(i.Tags)
		slices.Sort(i.Nodes)
		out = append(out, *i)
	}
	slices.SortFunc(out, func(a, b api.Image) int {
		// Images without a name come last.
		return cmp.Or(cmp.Compare(min(len(b.Tags), 1), min(len(a.Tags), 1)), slices.Compare(a.Tags, b.Tags), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// nodeImages answers this host's images, or with ?digest= those that a node
// looking for this repository digest or image ID can use.
func nodeImages(c *call) (any, error) { return c.ownImages(c.r.URL.Query().Get("digest")) }

func (c *call) ownImages(digest string) ([]api.NodeImage, error) {
	keep := func(runtime.Image) bool { return true }
	if digest != "" {
		w, err := parseImage("digest", digest)
		if err != nil {
			return nil, err
		}
		keep = w.matches
	}
	all, err := c.Engine.ListImages(c.ctx)
	if err != nil {
		return nil, fmt.Errorf("list this node's images: %w", err)
	}
	out := []api.NodeImage{}
	for _, i := range all {
		if keep(i) {
			out = append(out, api.NodeImage{ID: i.ID, Tags: i.Tags, Digests: i.Digests, Size: i.Size, Created: i.Created})
		}
	}
	return out, nil
}

// nodeFetch brings an image to this host and answers what came of it.
func nodeFetch(c *call) (any, error) {
	q := c.r.URL.Query()
	p := push{digest: q.Get("digest"), from: cluster.NodeID(q.Get("from")), ref: q.Get("ref")}
	if _, err := parseImage("digest", p.digest); err != nil {
		return nil, err
	}
	if p.ref != "" {
		if _, err := parseImage("ref", p.ref); err != nil {
			return nil, err
		}
	}
	return c.receive(c.ctx, p)
}

// receive brings the image of a push to this host.
func (c *call) receive(ctx context.Context, p push) (api.PushProgress, error) {
	out := api.PushProgress{Node: c.nodeName(c.Self), Status: "copied"}
	here, err := c.Engine.HasImage(ctx, p.digest)
	if err != nil {
		return out, fmt.Errorf("look for image %s: %w", p.digest, err)
	}
	if here {
		out.Status = "present"
	}
	return out, c.Images.Copy(ctx, p.digest, p.from, p.ref)
}

// nodeWantedImages answers the digests of what any kept version of a service
// runs: no node that brought one removes it.
func nodeWantedImages(c *call) (any, error) {
	v, ok := c.State.View()
	if !ok {
		return nil, api.Errorf(api.CodeUnavailable, "this node is not a voter and holds no state")
	}
	out := []string{}
	for s := range v.Services() {
		for _, d := range s.Digests() {
			if !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	return out, nil
}

// nodeName is what people call a node.
func (c *call) nodeName(id cluster.NodeID) string {
	for _, m := range c.Nodes.Members() {
		if m.ID == id {
			return m.Name
		}
	}
	return string(id)
}

// answer is what one member said.
type answer[T any] struct {
	api.Member
	value T
	err   error
}

// ask puts a question to every other ready member and returns the answers in
// the members' order.
func ask[T any](c *call, path string) []answer[T] {
	var out []answer[T]
	for _, m := range c.Nodes.Members() {
		if m.ID != c.Self && m.Condition == cluster.Ready {
			out = append(out, answer[T]{Member: m})
		}
	}
	ctx, cancel := context.WithTimeout(c.ctx, askDeadline)
	defer cancel()
	places := make(chan struct{}, askAtOnce)
	var wg sync.WaitGroup
	for i := range out {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			ctx, giveUp := context.WithCancel(ctx)
			defer giveUp()
			wg.Go(func() {
				look, done := context.WithTimeout(ctx, askSilence)
				defer done()
				if c.health(look, out[i].ID) == nil {
					giveUp()
				}
			})
			out[i].err = c.Peers.Call(ctx, out[i].ID, http.MethodGet, path, nil, &out[i].value)
		})
	}
	wg.Wait()
	return out
}
