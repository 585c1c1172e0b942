package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

const manifestType = "application/vnd.docker.distribution.manifest.v2+json"

// registryServer is an image registry with one image of one file, behind a login.
type registryServer struct {
	manifest []byte
	blobs    map[string][]byte // by digest
}

func digestOf(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

func newRegistry(t *testing.T) *registryServer {
	t.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	content := []byte(time.Now().String()) // no two runs share the image
	err := errors.Join(
		w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: int64(len(content))}),
		func() error { _, err := w.Write(content); return err }(),
		w.Close())
	if err != nil {
		t.Fatal(err)
	}
	encode := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	type object map[string]any
	config := encode(object{
		"architecture": "amd64", "os": "linux", "config": object{"Cmd": []string{"/none"}},
		"rootfs": object{"type": "layers", "diff_ids": []string{digestOf(layer.Bytes())}},
	})
	descriptor := func(kind string, b []byte) object {
		return object{"mediaType": "application/vnd.docker." + kind, "size": len(b), "digest": digestOf(b)}
	}
	return &registryServer{
		manifest: encode(object{
			"schemaVersion": 2, "mediaType": manifestType,
			"config": descriptor("container.image.v1+json", config),
			"layers": []object{descriptor("image.rootfs.diff.tar", layer.Bytes())},
		}),
		blobs: map[string][]byte{digestOf(config): config, digestOf(layer.Bytes()): layer.Bytes()},
	}
}

func (r *registryServer) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if user, password, _ := q.BasicAuth(); user != "ada" || password != "secret" {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	name := path.Base(q.URL.Path)
	switch kind := path.Base(path.Dir(q.URL.Path)); {
	case q.URL.Path == "/v2/":
	case kind == "manifests" && (name == "1" || name == digestOf(r.manifest)):
		w.Header().Set("Content-Type", manifestType)
		w.Header().Set("Docker-Content-Digest", digestOf(r.manifest))
		_, _ = w.Write(r.manifest)
	case kind == "blobs" && r.blobs[name] != nil:
		_, _ = w.Write(r.blobs[name])
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`))
	}
}

// The engine asks a registry on this host's loopback, which it does without
// TLS; an engine elsewhere cannot.
func TestRegistry(t *testing.T) {
	if os.Getenv("MUSTER_TEST_DOCKER") != "" {
		t.Skip("the engine of MUSTER_TEST_DOCKER may not reach this host's loopback")
	}
	d, f := live(t, Config{})
	request := liveRequest(t, d, f)
	r := newRegistry(t)
	server := httptest.NewServer(r)
	defer server.Close()
	name := strings.TrimPrefix(server.URL, "http://") + "/app"
	login := &runtime.Login{Server: strings.TrimPrefix(server.URL, "http://"), Username: "ada", Password: "secret"}
	want := name + "@" + digestOf(r.manifest)

	if _, err := d.Resolve(t.Context(), name+":1", nil); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("Resolve without a login = %v, want ErrNotFound", err)
	}
	got, err := d.Resolve(t.Context(), name+":1", login)
	if err != nil || got != want {
		t.Fatalf("Resolve = %s, %v, want %s", got, err, want)
	}
	if again, err := d.Resolve(t.Context(), got, nil); err != nil || again != got {
		t.Errorf("Resolve of a digest = %s, %v, want it unchanged", again, err)
	}
	if err := d.Pull(t.Context(), name+"@"+digestOf([]byte("other")), login); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("Pull of an absent digest = %v, want ErrNotFound", err)
	}
	if err := d.Pull(t.Context(), got, login); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeImage(t, d.host, got) })
	if ok, err := d.HasImage(t.Context(), got); !ok || err != nil {
		t.Errorf("HasImage = %v, %v, want true", ok, err)
	}
	request.Spec.Image = cluster.Image{Ref: name + ":1", Digest: got}
	id, err := d.Create(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context(), id); !errors.Is(err, runtime.ErrInvalid) {
		t.Errorf("Start of a program that is not there = %v, want ErrInvalid", err)
	}
	if err := d.Remove(t.Context(), id); err != nil {
		t.Error(err)
	}

	server.Close() // the tag is not known here, its digest is
	if err := d.Tag(t.Context(), got, name+":1"); err != nil {
		t.Fatal(err)
	}
	if local, err := d.Resolve(t.Context(), name+":1", login); err != nil || local != want {
		t.Errorf("Resolve without the registry = %s, %v, want %s", local, err, want)
	}
}

func removeImage(t *testing.T, host, ref string) {
	d, err := New(Config{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	err = d.call(context.Background(), classWrite, "remove image", func(ctx context.Context, c *client.Client) error {
		found, err := c.ImageInspect(ctx, ref)
		if err == nil {
			_, err = c.ImageRemove(ctx, found.ID, image.RemoveOptions{Force: true})
		}
		return err
	})
	if err != nil {
		t.Errorf("clean up: %v", err)
	}
}
