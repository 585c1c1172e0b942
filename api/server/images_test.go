package server

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/fake"
)

func pushed(t *testing.T, h *host, p api.PushImage) []string {
	t.Helper()
	var out []string
	for l, err := range h.client.PushImage(t.Context(), p) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.TrimSpace(l.Node+" "+l.Status+" "+l.Error))
	}
	slices.Sort(out)
	return out
}

func TestImagesAreListedOverAllNodes(t *testing.T) {
	r := newRing(t, nil, "a", "b", "w", "x")
	both := r.host("a").engine.AddImage("app:1")
	r.host("w").engine.AddImage("app:1")
	only := r.host("b").engine.AddImage("db:2")
	fetched := r.host("b").engine.AddImage(runtime.PeerTag("cache@sha256:00"))
	r.host("x").engine.AddImage("unseen:1")
	r.host("x").stop()
	got, err := r.host("w").client.Images(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []api.Image{
		{ID: both, Tags: []string{"app:1"}, Size: 1 << 20, Nodes: []string{"a", "w"}},
		{ID: only, Tags: []string{"db:2"}, Size: 1 << 20, Nodes: []string{"b"}},
		{ID: fetched, Tags: []string{}, Size: 1 << 20, Nodes: []string{"b"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestPushSpreadsAnImage(t *testing.T) {
	r := newRing(t, nil, "a", "b", "w")
	id := r.host("w").engine.AddImage("app:1")
	// Asked of a node that lacks it; it is found where it is.
	if d := cmp.Diff([]string{"a copied", "b copied", "w present"}, pushed(t, r.host("a"), api.PushImage{Image: "app:1"})); d != "" {
		t.Fatal(d)
	}
	for _, h := range r.hosts {
		got, err := h.engine.ListImages(t.Context())
		if err != nil || len(got) != 1 || got[0].ID != id || !slices.Contains(got[0].Tags, "app:1") {
			t.Errorf("%s has %+v, %v", h.name, got, err)
		}
	}
	if d := cmp.Diff([]string{"b present"}, pushed(t, r.host("a"), api.PushImage{Image: "app:1", Nodes: []string{"b"}})); d != "" {
		t.Error(d)
	}
}

func TestPushTellsOfEachNode(t *testing.T) {
	r := newRing(t, nil, "a", "b", "w")
	r.host("a").engine.AddImage("app:1")
	r.host("b").engine.Fail(fake.OpSave, fake.Fault{Err: errors.New("no space left on device")})
	r.down("w")
	got := pushed(t, r.host("a"), api.PushImage{Image: "app:1", Nodes: []string{"b", "w", "a"}})
	want := []string{"a present", "b failed bring image sha256:", "w failed the node is down"}
	for i := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], want[i]) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if !strings.Contains(got[1], "no space left on device") {
		t.Errorf("the reason is lost: %s", got[1])
	}
}

func TestPushRefuses(t *testing.T) {
	r := newRing(t, nil, "a", "b", "w")
	r.host("b").engine.AddImage("app:1")
	w := r.host("w").engine
	if err := w.Tag(t.Context(), w.AddImage("other:1"), "app:1"); err != nil {
		t.Fatal(err)
	}
	for want, p := range map[string]api.PushImage{
		`"none:1" is on no node`:                        {Image: "none:1"},
		`"app:1" is not the same image on all nodes: b`: {Image: "app:1"},
		`there is no node "q"`:                          {Image: "app:1", Nodes: []string{"q"}},
		"is not an image reference":                     {Image: "APP"},
		"is kept for images from peers":                 {Image: runtime.PeerRepository + ":x"},
	} {
		from := r.host("a")
		if len(p.Nodes) > 0 {
			from = r.host("b")
		}
		for _, err := range from.client.PushImage(t.Context(), p) {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
	}
}

// stuck saves an image only when it is let.
type stuck struct{ begun, let chan struct{} }

func (s *stuck) save(_ context.Context, _ string, w io.Writer) error {
	s.begun <- struct{}{}
	<-s.let
	_, err := io.WriteString(w, "image")
	return err
}

func TestNodeSendsTwoImagesAtATime(t *testing.T) {
	r := newRing(t, nil, "a", "b")
	s := &stuck{make(chan struct{}), make(chan struct{})}
	r.host("b").engine.save = s.save
	get := func() (io.ReadCloser, error) {
		return r.host("a").pool.Stream(t.Context(), r.host("b").id, http.MethodGet, "/v1/node/image?id=app:1", nil)
	}
	done := make(chan error, 2)
	for range 2 {
		go func() {
			body, err := get()
			if err == nil {
				_, err = io.ReadAll(body)
				_ = body.Close()
			}
			done <- err
		}()
		<-s.begun
	}
	if _, err := get(); client.Code(err) != api.CodeUnavailable {
		t.Errorf("a third image: %v", err)
	}
	close(s.let)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	go func() { <-s.begun }()
	body, err := get()
	if err != nil {
		t.Fatalf("after the others: %v", err)
	}
	_ = body.Close()
}

// broken fails in the middle of an image.
func broken(_ context.Context, _ string, w io.Writer) error {
	_, _ = w.Write(bytes.Repeat([]byte("x"), 100<<10))
	return errors.New("the disk is gone")
}

func TestAnImageThatBreaksOffIsNotTakenForAWhole(t *testing.T) {
	r := newRing(t, nil, "a", "b")
	r.host("b").engine.save = broken
	body, err := r.host("a").pool.Stream(t.Context(), r.host("b").id, http.MethodGet, "/v1/node/image?id=app:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	if n, err := io.Copy(io.Discard, body); err == nil {
		t.Errorf("%d bytes looked like the whole image", n)
	}
}

func TestBuild(t *testing.T) {
	r := newRing(t, nil, "a")
	a := r.host("a")
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	text := "FROM scratch\n" + strings.Repeat("# much\n", 100_000)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "Dockerfile", Mode: 0o644, Size: int64(len(text))}), second(w.Write([]byte(text))), w.Close()); err != nil {
		t.Fatal(err)
	}
	var got []api.BuildLine
	for l, err := range a.client.BuildImage(t.Context(), client.Build{Tag: "app:1", Args: map[string]string{"A": "b=c"}}, &archive) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l)
	}
	have, err := a.engine.ListImages(t.Context())
	if err != nil || len(have) != 1 {
		t.Fatalf("the engine has %v, %v", have, err)
	}
	want := []api.BuildLine{{Line: "Successfully built " + have[0].ID}, {ID: have[0].ID}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	a.engine.Fail(fake.OpBuild, fake.Fault{Err: errors.New("COPY failed")})
	for l, err := range a.client.BuildImage(t.Context(), client.Build{Tag: "app:1"}, strings.NewReader("")) {
		if err != nil || !strings.Contains(l.Error, "COPY failed") {
			t.Errorf("got %+v, %v", l, err)
		}
	}
	for _, err := range a.client.BuildImage(t.Context(), client.Build{Tag: "App"}, strings.NewReader("")) {
		if client.Code(err) != api.CodeInvalid {
			t.Errorf("a bad tag: %v", err)
		}
	}
}

func second(_ int, err error) error { return err }

func TestBuildOutputIsCutIntoLines(t *testing.T) {
	rec := &lineRecorder{} // both kinds of line have a Line
	o := &buildOutput{lines: rec.lines()}
	for _, s := range []string{"one\ntw", "o\r\n\nthr", "ee"} {
		fmt.Fprint(o, s)
	}
	o.flush()
	if d := cmp.Diff([]string{"one", "two", "", "three"}, rec.texts()); d != "" {
		t.Error(d)
	}
}
