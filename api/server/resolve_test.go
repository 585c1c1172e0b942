package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/fake"
)

func digestRef(name string, n int) string { return fmt.Sprintf("%s@sha256:%064x", name, n) }

func services(refs ...string) (out []api.NamedSpec) {
	for i, ref := range refs {
		s := api.NamedSpec{Name: fmt.Sprintf("s%d", i)}
		s.Spec.Template.Container.Image = cluster.Image{Ref: ref}
		out = append(out, s)
	}
	return out
}

func (r *ring) resolve(on string, s []api.NamedSpec) error {
	c := &call{Backend: r.host(on).backend, ctx: r.t.Context(), r: httptest.NewRequest(http.MethodPut, "/v1/stacks/s", nil)}
	return c.resolveImages(s)
}

func TestImagesAreResolved(t *testing.T) {
	r := newRing(t, nil, "a", "b", "w")
	a := r.host("a").engine
	a.AddRemote("nginx:1", digestRef("nginx", 1))
	local := a.AddImage("local:1")
	far := r.host("w").engine.AddImage("far:1")
	r.host("b").engine.AddImage("far:1") // the same on two nodes
	pulled := r.host("w").engine
	if err := pulled.Tag(t.Context(), pulled.AddImage(digestRef("pulled", 2)), "pulled:1"); err != nil {
		t.Fatal(err)
	}
	copied := r.host("b").engine
	if err := copied.Tag(t.Context(), copied.AddImage("pulled:1"), runtime.PeerTag(digestRef("pulled", 2))); err != nil {
		t.Fatal(err)
	}
	s := services("nginx:1", "local:1", "far:1", "nginx:1", digestRef("given", 3), "tag:7@sha256:"+strings.Repeat("ab", 32), "pulled:1", "kept:1")
	s[7].Spec.Template.Container.Image.Digest = digestRef("kept", 4)
	calls := a.Calls(fake.OpImage)
	if err := r.resolve("a", s); err != nil {
		t.Fatal(err)
	}
	want := []string{
		digestRef("nginx", 1), local, far, digestRef("nginx", 1), digestRef("given", 3), "tag@sha256:" + strings.Repeat("ab", 32),
		digestRef("pulled", 2), digestRef("kept", 4),
	}
	var got []string
	for _, s := range s {
		got = append(got, s.Spec.Template.Container.Image.Digest)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if n := a.Calls(fake.OpImage) - calls; n != 4 { // nginx once, local, far, pulled
		t.Errorf("the engine was asked %d times", n)
	}
}

func TestImagesThatCannotBeResolved(t *testing.T) {
	r := newRing(t, nil, "a", "b", "w")
	w := r.host("w").engine
	r.host("b").engine.AddImage("two:1")
	if err := w.Tag(t.Context(), w.AddImage("x"), "two:1"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		ref, want string
		code      api.Code
	}{
		{"none:1", "services.s1.image: \"none:1\" is on no node and no registry gives it; build it and run `muster image push none:1`, or check the name", api.CodeInvalid},
		{"two:1", `services.s1.image: "two:1" is not the same image on all nodes: b has sha256:`, api.CodeConflict},
		{"muster/peer:x", "services.s1.image: the name muster/peer is kept for images from peers", api.CodeInvalid},
	} {
		err := r.resolve("a", services(digestRef("fine", 1), tt.ref))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || asError(err).Code != tt.code {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
	r.host("w").stop()
	if err := r.resolve("a", services("none:1")); err == nil || !strings.Contains(err.Error(), "is on no node that answers (w did not)") {
		t.Errorf("a silent node is not named: %v", err)
	}
	r.host("a").engine.SetDown(true)
	if err := r.resolve("a", services("none:1")); asError(err).Code != api.CodeUnavailable {
		t.Errorf("with the engine down: %v", err)
	}
	s := services("two:1")
	if err := r.resolve("a", s); err != nil || s[0].Spec.Template.Container.Image.Digest == "" {
		t.Errorf("with the engine down, an image that another node has: %v", err)
	}
}

// walled is an engine whose registry cannot be reached: it takes long to find out.
type walled struct{ *fake.Driver }

const wall = 15 * time.Second

func (e walled) Resolve(ctx context.Context, ref string, login *runtime.Login) (string, error) {
	select {
	case <-time.After(wall):
		return e.Driver.Resolve(ctx, ref, login)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// oracle is a peer that knows one reference.
type oracle struct {
	Peers
	ref, digest string
}

func (o oracle) Call(_ context.Context, _ cluster.NodeID, _, path string, _, out any) error {
	if path != "/v1/node/resolve?ref="+url.QueryEscape(o.ref) {
		return api.Errorf(api.CodeNotFound, "this node has no such image")
	}
	data, err := json.Marshal(api.Resolved{Digest: o.digest})
	if err != nil {
		return err
	}
	return json.Unmarshal(data, out)
}

// Behind a wall, images that were built here do not wait for a registry; those
// that came from one do, because it may have a newer one.
func TestARegistryThatCannotBeReached(t *testing.T) {
	id := "sha256:" + strings.Repeat("cd", 32)
	for _, tt := range []struct {
		ref, want string
		took      time.Duration
	}{
		{"built:1", "", registryPatience},
		{"far:1", id, registryPatience},
		{"pulled:1", digestRef("pulled", 1), wall},
		{"none:1", "", wall},
	} {
		t.Run(tt.ref, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine := fake.New(fake.Config{})
				built := engine.AddImage("built:1")
				if err := engine.Tag(t.Context(), engine.AddImage(digestRef("pulled", 1)), "pulled:1"); err != nil {
					t.Fatal(err)
				}
				if tt.ref == "built:1" {
					tt.want = built
				}
				c := &call{ctx: t.Context(), Backend: &Backend{
					Self: "self", Engine: walled{engine}, Peers: oracle{ref: "far:1", digest: id},
					Nodes: nodesOf{members: []api.Member{{ID: "other", Name: "other", Condition: cluster.Ready}}},
				}}
				began := time.Now()
				got, err := c.resolve(tt.ref)
				if got != tt.want || (err == nil) != (tt.want != "") || time.Since(began) != tt.took {
					t.Errorf("got %q, %v after %v", got, err, time.Since(began))
				}
			})
		})
	}
}
