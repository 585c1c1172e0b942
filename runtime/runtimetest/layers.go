package runtimetest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// layered is an image of several layers, each of one file, as an archive of
// docker save has it.
type layered struct {
	id     string
	config []byte
	layers [][]byte
}

func sum(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// tarOf is an archive of files in the order of their names.
func tarOf(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range names {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// newLayer is a layer that nobody has.
func newLayer(t *testing.T) []byte {
	return tarOf(t, map[string][]byte{"file": []byte(rand.Text())})
}

func newLayered(t *testing.T, layers ...[]byte) layered {
	t.Helper()
	var diffs []string
	for _, l := range layers {
		diffs = append(diffs, "sha256:"+sum(l))
	}
	config, err := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "config": map[string]any{"Cmd": []string{"/none"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
	})
	if err != nil {
		t.Fatal(err)
	}
	return layered{id: "sha256:" + sum(config), config: config, layers: layers}
}

// archive has the image without the files of its first layers.
func (l layered) archive(t *testing.T, without int) *bytes.Reader {
	t.Helper()
	files := map[string][]byte{sum(l.config) + ".json": l.config}
	var names []string
	for i, content := range l.layers {
		names = append(names, sum(content)+".tar")
		if i >= without {
			files[names[i]] = content
		}
	}
	var err error
	files["manifest.json"], err = json.Marshal([]map[string]any{{"Config": sum(l.config) + ".json", "Layers": names}})
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(tarOf(t, files))
}

func (b *bench) load(t *testing.T, l layered, without int) {
	t.Helper()
	ids, err := b.Load(t.Context(), l.archive(t, without))
	if err != nil || !slices.Equal(ids, []string{l.id}) {
		t.Fatalf("Load without %d layers = %v, %v, want %s", without, ids, err, l.id)
	}
	t.Cleanup(func() {
		if err := b.RemoveImage(context.Background(), l.id); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
}

// testImageLayers loads an image without the layers that another one brought.
func testImageLayers(t *testing.T, b *bench) {
	base, top := newLayer(t), newLayer(t)
	one, two := newLayered(t, base), newLayered(t, base, top)
	if ids, err := b.Load(t.Context(), two.archive(t, 1)); err == nil {
		t.Errorf("Load without a layer that is not here = %v", ids)
	}
	b.load(t, one, 0)
	b.load(t, two, 1)
	got, err := b.Layers(t.Context(), two.id)
	if want := []string{"sha256:" + sum(base), "sha256:" + sum(top)}; err != nil || !slices.Equal(got, want) {
		t.Errorf("Layers = %v, %v, want %v", got, err, want)
	}
	_, err = b.Layers(t.Context(), "sha256:"+sum(nil))
	want(t, "Layers of an absent image", err, runtime.ErrNotFound)
	// What was put together is whole again on the way out.
	var saved bytes.Buffer
	want(t, "Save", b.Save(t.Context(), two.id, &saved), nil)
	for _, content := range [][]byte{base, top, two.config} {
		if !bytes.Contains(saved.Bytes(), content) {
			t.Errorf("the saved image lacks %s", sum(content))
		}
	}
}

func testRemoveImage(t *testing.T, b *bench) {
	image := newLayered(t, newLayer(t))
	b.load(t, image, 0)
	for _, tag := range []string{"muster-runtimetest-a:1", "muster-runtimetest-b:1"} {
		want(t, "Tag", b.Tag(t.Context(), image.id, tag), nil)
	}
	request := b.request("serve")
	request.Spec.Image = cluster.Image{Ref: image.id, Digest: image.id}
	made := b.create(t, request)
	want(t, "RemoveImage of one in use", b.RemoveImage(t.Context(), image.id), runtime.ErrConflict)
	if ok, err := b.HasImage(t.Context(), "muster-runtimetest-a:1"); !ok || err != nil {
		t.Errorf("an image that could not be removed lost its name: %v, %v", ok, err)
	}
	if used, err := b.UsedImages(t.Context()); err != nil || !slices.Contains(used, image.id) {
		t.Errorf("UsedImages() = %v, %v, want %s in it", used, err, image.id)
	}
	want(t, "Remove", b.Remove(t.Context(), made), nil)
	want(t, "RemoveImage", b.RemoveImage(t.Context(), image.id), nil)
	for _, name := range []string{image.id, "muster-runtimetest-a:1", "muster-runtimetest-b:1"} {
		if ok, err := b.HasImage(t.Context(), name); ok || err != nil {
			t.Errorf("HasImage(%s) = %v, %v, want false", name, ok, err)
		}
	}
	want(t, "RemoveImage of an absent one", b.RemoveImage(t.Context(), image.id), nil)
}
