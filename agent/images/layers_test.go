package images

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime/fake"
)

// byLayers is how a node of a fleet sends layers.
type byLayers struct {
	store  *Store // nil: it cannot
	asking sync.Mutex
	cutAt  int                 // breaks off after so many bytes, once
	alters bool                // sends another byte than the last
	sent   []api.LayerPart     // what was asked for
	slowed func(api.ImageAsk)  // called while a transfer holds its place
	lied   func([]byte) []byte // makes another configuration of it
}

// handOver answers as api/server does.
func (n *node) handOver(r *http.Request) (io.ReadCloser, error) {
	if n.store == nil {
		return nil, api.Errorf(api.CodeNotFound, "%s is not a call of this API", r.URL.Path)
	}
	q := r.URL.Query()
	a := api.ImageAsk{ID: q.Get("id"), To: cluster.NodeID(q.Get("to")), Idle: q.Get("idle") != ""}
	if strings.HasSuffix(r.URL.Path, "/config") {
		config, err := n.store.Config(r.Context(), a)
		if n.lied != nil {
			config = n.lied(config)
		}
		return io.NopCloser(bytes.NewReader(config)), err
	}
	var want api.ImageParts
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
		return nil, err
	}
	n.asking.Lock()
	n.sent = append(n.sent, want.Layers...)
	n.asking.Unlock()
	var out bytes.Buffer
	w := &slow{Writer: &out, begin: func() {
		if n.slowed != nil {
			n.slowed(a)
		}
	}}
	if err := n.store.Send(r.Context(), a, want.Layers, w); err != nil {
		return nil, err
	}
	if n.alters {
		out.Bytes()[out.Len()-1] ^= 1
	}
	if cut := n.cutAt; cut > 0 {
		n.cutAt = 0
		return io.NopCloser(io.MultiReader(bytes.NewReader(out.Bytes()[:cut]), failing{})), nil
	}
	return io.NopCloser(&out), nil
}

// slow calls begin before the first byte.
type slow struct {
	io.Writer
	begin func()
}

func (s *slow) Write(p []byte) (int, error) {
	if s.begin != nil {
		s.begin()
		s.begin = nil
	}
	return s.Writer.Write(p)
}

func plenty(string) (free, size int64, err error) { return 1 << 40, 1 << 41, nil }

func storeOf(t *testing.T, engine Saver) *Store {
	t.Helper()
	s, err := OpenStore(filepath.Join(t.TempDir(), "images"), engine, plenty)
	must(t, err)
	return s
}

// layeredFleet has one node, which sends layers, and a fetcher that takes them.
func layeredFleet(t *testing.T) (n *node, own *Fetcher, engine *fake.Driver) {
	t.Helper()
	f := newFleet("a")
	n = f.nodes["a"]
	n.store = storeOf(t, n.Driver)
	own, engine = fetcher(f)
	own.cfg.Store = storeOf(t, engine)
	return n, own, engine
}

// asked is what a node was asked for, as "layer+offset", in the image's order.
func (n *node) asks(layers ...string) []string {
	var out []string
	for _, p := range n.sent {
		at := slices.IndexFunc(layers, func(l string) bool { return p.Digest == digestOf(l) })
		out = append(out, fmt.Sprintf("%d+%d", at, p.Offset))
	}
	return out
}

func digestOf(content string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))) }

func TestOnlyLayersThatAreMissingAreSent(t *testing.T) {
	n, own, engine := layeredFleet(t)
	base, top := strings.Repeat("base", 1000), strings.Repeat("top", 1000)
	engine.AddLayers("other:1", base, "something else")
	id := n.AddLayers("app:1", base, top, top)
	must(t, own.Fetch(t.Context(), id))
	if !has(t, engine, id) || !has(t, engine, "app:1") {
		t.Error("the image is not here")
	}
	if got, want := n.asks(base, top), []string{"1+0"}; !slices.Equal(got, want) {
		t.Errorf("asked for %v, want %v", got, want)
	}
	// What was received can be handed on, without the engine.
	if _, err := own.cfg.Store.Config(t.Context(), api.ImageAsk{ID: id, To: "b"}); err != nil {
		t.Error(err)
	}
}

func TestATransferThatBreaksGoesOn(t *testing.T) {
	n, own, engine := layeredFleet(t)
	one, two := strings.Repeat("1", 10_000), strings.Repeat("2", 10_000)
	id := n.AddLayers("app:1", one, two)
	n.cutAt = 15_000
	if err := own.Fetch(t.Context(), id); err == nil {
		t.Fatal("half an image is taken for a whole one")
	}
	must(t, own.Fetch(t.Context(), id))
	if !has(t, engine, id) {
		t.Error("the image is not here")
	}
	got := n.asks(one, two)
	if len(got) != 3 || got[0] != "0+0" || got[1] != "1+0" || !strings.HasPrefix(got[2], "1+4") {
		t.Errorf("asked for %v, want the rest of the second layer at last", got)
	}
}

func TestABrokenTransferGoesOnAfterARestart(t *testing.T) {
	n, own, engine := layeredFleet(t)
	one := strings.Repeat("1", 10_000)
	id := n.AddLayers("app:1", one)
	n.cutAt = 5_000
	if err := own.Fetch(t.Context(), id); err == nil {
		t.Fatal("half an image is taken for a whole one")
	}
	again, err := OpenStore(own.cfg.Store.blobs.dir, engine, plenty)
	must(t, err)
	own.cfg.Store = again
	must(t, own.Fetch(t.Context(), id))
	if got := n.asks(one); len(got) != 2 || got[1] == "0+0" {
		t.Errorf("asked for %v", got)
	}
}

func TestWhatANodeSendsIsChecked(t *testing.T) {
	one, two := strings.Repeat("1", 1000), strings.Repeat("2", 1000)
	for name, spoil := range map[string]func(*node){
		"another layer":         func(n *node) { n.alters = true },
		"another configuration": func(n *node) { n.lied = func(c []byte) []byte { return append(c, ' ') } },
	} {
		t.Run(name, func(t *testing.T) {
			n, own, engine := layeredFleet(t)
			id := n.AddLayers("app:1", one, two)
			spoil(n)
			if err := own.Fetch(t.Context(), id); err == nil || has(t, engine, id) {
				t.Fatalf("it is taken: %v", err)
			}
			n.alters, n.lied = false, nil
			must(t, own.Fetch(t.Context(), id)) // nothing of it stayed
		})
	}
}

func TestAnImageThatHasNoLayersIsSentWhole(t *testing.T) {
	n, own, engine := layeredFleet(t)
	id := n.AddImage("app:1") // its ID is not the hash of anything in it
	must(t, own.Fetch(t.Context(), id))
	if !has(t, engine, id) || len(n.sent) > 0 {
		t.Errorf("layers asked for: %v", n.sent)
	}
}

func TestANodeWithoutRoomTakesTheWholeImage(t *testing.T) {
	n, own, engine := layeredFleet(t)
	free := int64(leaveRoom) + 500
	own.cfg.Store.blobs.room = func(string) (int64, int64, error) { return free, 100 << 30, nil }
	id := n.AddLayers("app:1", strings.Repeat("1", 1000))
	must(t, own.Fetch(t.Context(), id))
	if !has(t, engine, id) {
		t.Error("the image is not here")
	}
	if own.cfg.Store.blobs.has(digestOf(strings.Repeat("1", 1000))) {
		t.Error("a layer was kept where there is no room")
	}
}

func TestOldLayersAreTidiedAway(t *testing.T) {
	s := storeOf(t, fake.New(fake.Config{}))
	config := strings.NewReader("config")
	digest, err := s.blobs.add(config, 6)
	must(t, err)
	must(t, os.WriteFile(s.blobs.path("part", digestOf("half")), []byte("ha"), 0o600))
	soon := time.Now().Add(time.Second)
	release := s.blobs.hold(digest)
	must(t, s.blobs.tidy(soon, time.Now().Add(-time.Hour)))
	if !s.blobs.has(digest) || s.blobs.part(digestOf("half")) != 2 {
		t.Error("what is needed is gone")
	}
	release()
	must(t, s.blobs.tidy(soon, soon))
	if s.blobs.has(digest) || s.blobs.part(digestOf("half")) != 0 {
		t.Error("what is not needed stayed")
	}
	if _, _, err := s.blobs.open("sha256:../../etc/passwd"); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("a path for a digest: %v", err)
	}
}
