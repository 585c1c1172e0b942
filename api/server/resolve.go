package server

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

const (
	// resolveAtOnce is how many references of one deploy are resolved at a time.
	resolveAtOnce = 4
	// registryPatience is how long a registry may take to answer for an image
	// that is on a node and never came from a registry: without a way out, the
	// engine waits for many seconds before it gives up.
	registryPatience = 1500 * time.Millisecond
)

// resolveImages fills in what every node shall run for each image: what the
// reference says itself, else what the registry says, else what this host has,
// else what another node has. A digest that is there already is kept.
func (c *call) resolveImages(services []api.NamedSpec) error {
	resolved := map[string]*resolution{}
	var g errgroup.Group
	g.SetLimit(resolveAtOnce)
	for _, s := range services {
		i := s.Spec.Template.Container.Image
		if i.Digest != "" || resolved[i.Ref] != nil {
			continue
		}
		r := &resolution{ref: i.Ref}
		resolved[i.Ref] = r
		g.Go(func() error {
			r.digest, r.err = c.resolve(r.ref)
			return nil
		})
	}
	_ = g.Wait()
	for n := range services {
		i := &services[n].Spec.Template.Container.Image
		if i.Digest != "" {
			continue
		}
		r := resolved[i.Ref]
		if r.err != nil {
			e := *asError(r.err)
			e.Field = "services." + services[n].Name + ".image"
			return &e
		}
		i.Digest = r.digest
	}
	return nil
}

type resolution struct {
	ref, digest string
	err         error
}

// resolve turns one reference into a digest. Its errors have no field yet.
func (c *call) resolve(ref string) (string, error) {
	w, err := parseImage("image", ref)
	if err != nil {
		return "", err
	}
	if d, ok := w.digest(); ok {
		return d, nil
	}
	answer, stop := c.askEngine(w, ref)
	defer stop()
	select {
	case r := <-answer:
		return c.settle(r)
	case <-time.After(registryPatience):
	}
	if digest := c.unshared(w, ref); digest != "" {
		return digest, nil
	}
	return c.settle(<-answer)
}

// askEngine lets this host's engine resolve a reference. stop ends that, and
// waits for it.
func (c *call) askEngine(w wanted, ref string) (answer <-chan resolution, stop func()) {
	sub := *c
	var cancel context.CancelFunc
	sub.ctx, cancel = context.WithCancel(c.ctx)
	out := make(chan resolution, 1)
	var asking sync.WaitGroup
	asking.Go(func() {
		digest, err := sub.Engine.Resolve(sub.ctx, ref, sub.login(w.registry()))
		out <- resolution{ref, digest, err}
	})
	return out, func() {
		cancel()
		asking.Wait()
	}
}

// unshared is the image ID of a reference that is on this host, or else on
// others, and that no engine there got from a registry; "" where it is not so.
func (c *call) unshared(w wanted, ref string) string {
	digest, err := c.ownDigest(w)
	if isNotFound(err) {
		var other place
		other, _, err = c.elsewhere(ref)
		digest = other.digest
	}
	if err != nil || !(cluster.Image{Digest: digest}).Local() {
		return ""
	}
	return digest
}

// settle judges the engine's answer, and asks the other nodes for an image that
// neither this host nor the registry has, or that the engine cannot tell of.
func (c *call) settle(r resolution) (string, error) {
	switch {
	case r.err == nil:
		return r.digest, nil
	case errors.Is(r.err, runtime.ErrInvalid):
		return "", api.Errorf(api.CodeInvalid, "%v", r.err)
	case !errors.Is(r.err, runtime.ErrNotFound):
		if other, _, err := c.elsewhere(r.ref); err == nil && other.digest != "" {
			return other.digest, nil
		}
		return "", api.Errorf(api.CodeUnavailable, "resolve %q: %v", r.ref, r.err).
			WithHint("check the container engine of this host, or deploy through another node")
	}
	other, silent, err := c.elsewhere(r.ref)
	if err == nil && other.digest == "" {
		err = api.Errorf(api.CodeInvalid, "%s and no registry gives it", onNoNode(r.ref, silent)).
			WithHint(fmt.Sprintf("build it and run `muster image push %s`, or check the name (%v)", r.ref, r.err))
	}
	return other.digest, err
}

// onNoNode words that no node has an image; silent are those that were asked
// in vain.
func onNoNode(ref string, silent []string) string {
	if len(silent) > 0 {
		return fmt.Sprintf("%q is on no node that answers (%s did not)", ref, strings.Join(silent, ", "))
	}
	return fmt.Sprintf("%q is on no node", ref)
}

// place is an image on a node.
type place struct {
	node   cluster.NodeID
	digest string
}

// elsewhere asks the other members what a reference is on their hosts. The
// place is empty when nobody has the image; silent names the members that did
// not answer. It is an error when the nodes disagree.
func (c *call) elsewhere(ref string) (found place, silent []string, err error) {
	var said []string
	for _, a := range ask[api.Resolved](c, "/v1/node/resolve?ref="+url.QueryEscape(ref)) {
		switch {
		case a.err == nil:
			said = append(said, a.Name+" has "+short(a.value.Digest))
			if found.digest == "" {
				found = place{a.ID, a.value.Digest}
			}
			if a.value.Digest != found.digest {
				return place{}, nil, api.Errorf(api.CodeConflict, "%q is not the same image on all nodes: %s", ref, strings.Join(said, ", ")).
					WithHint(fmt.Sprintf("run `muster image push %s` on the node that has the right one", ref))
			}
		case asError(a.err).Code != api.CodeNotFound:
			silent = append(silent, a.Name)
		}
	}
	return found, silent, nil
}

// short is a digest for people.
func short(digest string) string {
	if at := strings.LastIndex(digest, ":"); len(digest) > at+13 {
		return digest[:at+13]
	}
	return digest
}

// nodeResolve answers what a reference is on this host, without a registry.
func nodeResolve(c *call) (any, error) {
	w, err := parseImage("ref", c.r.URL.Query().Get("ref"))
	if err != nil {
		return nil, err
	}
	digest, err := c.ownDigest(w)
	if err != nil {
		return nil, err
	}
	return api.Resolved{Digest: digest}, nil
}

// ownDigest is what other nodes shall know an image of this host as.
func (c *call) ownDigest(w wanted) (string, error) {
	all, err := c.Engine.ListImages(c.ctx)
	if err != nil {
		return "", fmt.Errorf("look for image %s: %w", w, err)
	}
	if at := slices.IndexFunc(all, w.matches); at >= 0 {
		return w.digestOf(all[at]), nil
	}
	return "", api.Errorf(api.CodeNotFound, "this node has no image %s", w)
}
