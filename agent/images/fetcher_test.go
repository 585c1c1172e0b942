package images

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fleet is the other nodes, each with an engine of its own.
type fleet struct {
	mu    sync.Mutex
	nodes map[cluster.NodeID]*node
	sent  []string // "node image" of every transfer that was asked for

	record Record // that nodes vouch to
}

type node struct {
	*fake.Driver
	condition cluster.Condition
	busy      int                 // transfers to refuse before one is given
	dead      bool                // nobody answers
	lies      string              // sends this image instead
	breaks    bool                // sends half an image
	waits     chan struct{}       // sends when it is closed
	began     chan<- struct{}     // told of a transfer's begin
	asked     func(digest string) // told of a question
	byLayers                      // how it sends layers, if it does
}

func newFleet(names ...string) *fleet {
	f := &fleet{nodes: map[cluster.NodeID]*node{}}
	for _, name := range names {
		f.nodes[cluster.NodeID(name)] = &node{Driver: fake.New(fake.Config{}), condition: cluster.Ready}
	}
	return f
}

func (f *fleet) members() []api.Member {
	out := []api.Member{{ID: "self", Name: "self", Condition: cluster.Ready}}
	for id, n := range f.nodes {
		out = append(out, api.Member{ID: id, Name: string(id), Condition: n.condition})
	}
	return out
}

func (f *fleet) Call(ctx context.Context, id cluster.NodeID, method, path string, _, out any) error {
	body, err := f.Stream(ctx, id, method, path, nil)
	if err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(body).Decode(out)
}

func (f *fleet) Stream(ctx context.Context, id cluster.NodeID, method, path string, body io.Reader) (io.ReadCloser, error) {
	n := f.nodes[id]
	if n.dead {
		return nil, errors.New("connection refused")
	}
	r := httptest.NewRequestWithContext(ctx, method, path, body)
	switch r.URL.Path {
	case "/v1/node/images":
		return n.list(ctx, r.URL.Query().Get("digest"))
	case "/v1/node/image":
		f.mu.Lock()
		f.sent = append(f.sent, string(id)+" "+r.URL.Query().Get("id"))
		busy := n.busy > 0
		n.busy--
		f.mu.Unlock()
		if busy {
			return nil, api.Errorf(api.CodeUnavailable, "this node is busy")
		}
		return n.send(ctx, r.URL.Query().Get("id"))
	case "/v1/node/image/vouch":
		v := New(Config{Engine: n, Record: f.record})
		return io.NopCloser(strings.NewReader("null")), v.Vouch(ctx, r.URL.Query().Get("digest"))
	case "/v1/node/image/config", "/v1/node/image/layers":
		return n.handOver(r)
	}
	return nil, fmt.Errorf("HTTP %d", http.StatusNotFound)
}

func (n *node) list(ctx context.Context, digest string) (io.ReadCloser, error) {
	if n.asked != nil {
		n.asked(digest)
	}
	all, err := n.ListImages(ctx)
	if err != nil {
		return nil, err
	}
	out := []api.NodeImage{}
	for _, i := range all {
		out = append(out, api.NodeImage{ID: i.ID, Tags: i.Tags, Digests: i.Digests})
	}
	data, err := json.Marshal(out)
	return io.NopCloser(strings.NewReader(string(data))), err
}

func (n *node) send(ctx context.Context, id string) (io.ReadCloser, error) {
	if n.lies != "" {
		id = n.lies
	}
	var data strings.Builder
	if err := n.Save(ctx, id, &data); err != nil {
		return nil, err
	}
	if n.began != nil {
		n.began <- struct{}{}
	}
	var body io.Reader = strings.NewReader(data.String())
	if n.breaks {
		body = io.MultiReader(strings.NewReader(data.String()[:20]), failing{})
	}
	return &answer{Reader: body, waits: n.waits, ctx: ctx}, nil
}

// failing is a connection that breaks.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// answer is a body that may wait before it begins.
type answer struct {
	io.Reader
	waits chan struct{}
	ctx   context.Context
}

func (a *answer) Read(p []byte) (int, error) {
	if a.waits != nil {
		select {
		case <-a.waits:
		case <-a.ctx.Done():
			return 0, a.ctx.Err()
		}
	}
	return a.Reader.Read(p)
}

func (a *answer) Close() error { return nil }

// fetcher is the one under test, with its engine.
func fetcher(f *fleet) (*Fetcher, *fake.Driver) {
	own := fake.New(fake.Config{})
	return New(Config{Self: "self", Engine: own, Peers: f, Members: f.members}), own
}

func digest(name string) string { return fmt.Sprintf("%s@sha256:%064x", name, 1) }

// must is for steps of a test that cannot fail.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, d *fake.Driver, ref string) bool {
	t.Helper()
	ok, err := d.HasImage(t.Context(), ref)
	must(t, err)
	return ok
}

func TestAnImageThatIsHereIsNotFetched(t *testing.T) {
	f := newFleet("a")
	own, engine := fetcher(f)
	id := engine.AddImage("app:1")
	must(t, own.Fetch(t.Context(), id))
	if len(f.sent) > 0 || engine.Calls(fake.OpPull) > 0 {
		t.Errorf("sent %v, %d pulls", f.sent, engine.Calls(fake.OpPull))
	}
}

func TestTheRegistryComesFirst(t *testing.T) {
	f := newFleet("a")
	f.nodes["a"].AddImage(digest("app"))
	own, engine := fetcher(f)
	engine.AddRemote("app:1", digest("app"))
	var asked string
	own.cfg.Login = func(_ context.Context, server string) *runtime.Login { asked = server; return nil }
	must(t, own.Fetch(t.Context(), digest("app")))
	if len(f.sent) > 0 || asked != "docker.io" {
		t.Errorf("sent %v, asked for a login to %q", f.sent, asked)
	}
}

func TestASlowRegistryIsOvertakenByAPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet("a")
		f.nodes["a"].AddImage(digest("app"))
		own, engine := fetcher(f)
		engine.AddRemote("app:1", digest("app"))
		engine.Fail(fake.OpPull, fake.Fault{Delay: time.Hour})
		began := time.Now()
		must(t, own.Fetch(t.Context(), digest("app")))
		if took := time.Since(began); took < registryPatience || took > 2*registryPatience || len(f.sent) != 1 {
			t.Errorf("it took %v, sent %v", took, f.sent)
		}
	})
}

func TestASlowRegistryIsWaitedForWhereNoPeerHasTheImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, busy := range map[string]bool{"nobody has it": false, "who has it is busy": true} {
			f := newFleet("a")
			if busy {
				f.nodes["a"].AddImage(digest("app"))
				f.nodes["a"].busy = 1 << 30
			}
			own, engine := fetcher(f)
			engine.AddRemote("app:1", digest("app"))
			engine.Fail(fake.OpPull, fake.Fault{Delay: 10 * time.Minute})
			began := time.Now()
			must(t, own.Fetch(t.Context(), digest("app")))
			if took := time.Since(began); took < 10*time.Minute || took > 11*time.Minute {
				t.Errorf("%s: it took %v", name, took)
			}
		}
	})
}

func TestAnImageComesFromAPeer(t *testing.T) {
	f := newFleet("a", "b", "c", "down")
	a := f.nodes["a"]
	id := a.AddImage("app:1")
	must(t, a.Tag(t.Context(), id, "taken:1"))
	pulled := a.AddImage(digest("web"))
	f.nodes["b"].dead = true
	f.nodes["down"].condition = cluster.Down
	f.nodes["down"].AddImage("app:1")
	own, engine := fetcher(f)
	taken := engine.AddImage("taken:1")

	must(t, own.Fetch(t.Context(), id))
	if !has(t, engine, "app:1") {
		t.Error("the image has lost its name")
	}
	if got, err := engine.Resolve(t.Context(), "taken:1", nil); err != nil || got != taken {
		t.Errorf("a name that was in use went to another image: %s, %v", got, err)
	}
	must(t, own.Fetch(t.Context(), digest("web")))
	if !has(t, engine, digest("web")) || !has(t, engine, pulled) {
		t.Error("the image is not found by its digest")
	}
	if want := []string{"a " + id, "a " + pulled}; !slices.Equal(f.sent, want) {
		t.Errorf("sent %v, want %v", f.sent, want)
	}

	// What came from a peer can go on to the next.
	g := &fleet{nodes: map[cluster.NodeID]*node{"d": {Driver: engine, condition: cluster.Ready}}}
	next, nextEngine := fetcher(g)
	must(t, next.Fetch(t.Context(), digest("web")))
	if !has(t, nextEngine, digest("web")) {
		t.Error("the image did not go on")
	}
}

func TestTheNextPeerIsTried(t *testing.T) {
	f := newFleet("a", "b", "c")
	var id string
	for name, n := range f.nodes {
		id = n.AddImage("app:1")
		switch name {
		case "a":
			n.breaks = true
		case "b":
			n.lies = n.AddImage("other:1")
		}
	}
	own, engine := fetcher(f)
	for range 20 { // the order is random
		must(t, own.Fetch(t.Context(), id))
		if !has(t, engine, id) {
			t.Fatal("the image is not here")
		}
		engine = fake.New(fake.Config{})
		own.cfg.Engine = engine
	}
	sent := strings.Join(f.sent, "\n")
	if !strings.Contains(sent, "a ") || !strings.Contains(sent, "b ") {
		t.Errorf("the bad nodes were never asked: %s", sent)
	}
}

func TestWhatCannotBeFetchedIsExplained(t *testing.T) {
	f := newFleet("a", "b")
	own, _ := fetcher(f)
	err := own.Fetch(t.Context(), digest("app"))
	if !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("an image that nobody has: %v", err)
	}
	for _, want := range []string{digest("app"), "the registry: ", "no node that answers has it", "muster image push"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	id := f.nodes["a"].AddImage("app:1")
	f.nodes["a"].breaks = true
	f.nodes["b"].dead = true
	err = own.Fetch(t.Context(), id)
	if err == nil || errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("an image that somebody has: %v", err)
	}
	for _, want := range []string{id, "node a: load the image", "node b: connection refused"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

// A node that is away for a moment may have it; one that is down gives it to nobody.
func TestNobodyHasItWhereAllCouldBeAsked(t *testing.T) {
	for condition, definite := range map[cluster.Condition]bool{
		cluster.Ready: true, cluster.Away: false, cluster.Down: true,
	} {
		f := newFleet("a", "b")
		f.nodes["b"].condition = condition
		own, _ := fetcher(f)
		if err := own.Fetch(t.Context(), digest("app")); errors.Is(err, runtime.ErrNotFound) != definite {
			t.Errorf("with a node that is %s: %v", condition, err)
		}
	}
}

func TestABusyNodeIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet("a")
		f.nodes["a"].busy = 5
		id := f.nodes["a"].AddImage("app:1")
		own, engine := fetcher(f)
		began := time.Now()
		must(t, own.Fetch(t.Context(), id))
		if !has(t, engine, id) || len(f.sent) != 6 {
			t.Errorf("after %d tries the image is not here", len(f.sent))
		}
		if took := time.Since(began); took < time.Second || took > 20*time.Second {
			t.Errorf("the tries took %v", took)
		}
	})
}

func TestWaitingForABusyNodeEndsWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet("a")
		f.nodes["a"].busy = 1 << 30
		id := f.nodes["a"].AddImage("app:1")
		own, _ := fetcher(f)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := own.Fetch(ctx, id); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestATransferThatStallsIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet("a", "b")
		id := f.nodes["a"].AddImage("app:1")
		f.nodes["b"].AddImage("app:1")
		f.nodes["a"].waits = make(chan struct{})
		own, engine := fetcher(f)
		must(t, own.Copy(t.Context(), id, "a", ""))
		if !has(t, engine, id) || len(f.sent) < 2 {
			t.Errorf("sent %v", f.sent)
		}
	})
}

func TestOneTransferServesAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet("a")
		id := f.nodes["a"].AddImage("app:1")
		began, let := make(chan struct{}, 9), make(chan struct{})
		f.nodes["a"].began, f.nodes["a"].waits = began, let
		own, _ := fetcher(f)
		first, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		errs := make([]error, 4)
		wg.Go(func() { errs[0] = own.Fetch(first, id) })
		<-began
		for i := range 2 {
			wg.Go(func() { errs[1+i] = own.Fetch(t.Context(), id) })
		}
		impatient, give := context.WithCancel(t.Context())
		wg.Go(func() { errs[3] = own.Fetch(impatient, id) })
		synctest.Wait()
		give()
		synctest.Wait()
		if !errors.Is(errs[3], context.Canceled) {
			t.Errorf("a caller that gave up still waits, or got %v", errs[3])
		}
		// The caller that does the work gives up: another takes over.
		cancel()
		<-began
		close(let)
		wg.Wait()
		if !errors.Is(errs[0], context.Canceled) || errs[1] != nil || errs[2] != nil {
			t.Errorf("got %v", errs)
		}
		if len(f.sent) != 2 {
			t.Errorf("sent %v", f.sent)
		}
	})
}

func TestCopyPrefersItsNodeAndMovesTheName(t *testing.T) {
	f := newFleet("a", "b", "c")
	var ids []string
	for _, n := range f.nodes {
		ids = append(ids, n.AddImage(digest("app")))
	}
	own, engine := fetcher(f)
	engine.AddRemote("app:1", digest("app"))
	must(t, own.Copy(t.Context(), digest("app"), "b", "app:1"))
	if want := []string{"b " + ids[0]}; !slices.Equal(f.sent, want) || engine.Calls(fake.OpPull) > 0 {
		t.Errorf("sent %v, %d pulls", f.sent, engine.Calls(fake.OpPull))
	}
	if !has(t, engine, "app:1") {
		t.Error("the image has no name")
	}
	// Without its node the registry and the others are as good.
	f.nodes["c"].dead = true
	engine = fake.New(fake.Config{})
	own.cfg.Engine = engine
	must(t, own.Copy(t.Context(), digest("app"), "c", ""))
	if f.sent[len(f.sent)-1][0] == 'c' {
		t.Errorf("sent %v", f.sent)
	}
}

func TestManyNodesAreAskedUntilOneHasIt(t *testing.T) {
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprint("n", i))
	}
	f := newFleet(names...)
	var mu sync.Mutex
	asked := 0
	var id string
	for _, n := range f.nodes {
		id = n.AddImage("app:1")
		n.asked = func(string) { mu.Lock(); asked++; mu.Unlock() }
	}
	own, _ := fetcher(f)
	must(t, own.Fetch(t.Context(), id))
	if asked != askAtOnce || len(f.sent) != 1 {
		t.Errorf("%d nodes were asked, %v sent it", asked, f.sent)
	}
}
