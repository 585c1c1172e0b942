package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/fake"
	"github.com/musterhq/muster/security"
)

// expel takes a node out of the cluster; every server reviews what it serves,
// as its agent makes it.
func (r *ring) expel(name string) {
	r.t.Helper()
	r.remove(name)
	for _, h := range r.hosts {
		h.server.Review()
	}
}

// patience is how long a test waits for what must happen.
const patience = time.Minute

// ends fails the test unless the reader comes to its end.
func ends(t *testing.T, what string, read func() error) {
	t.Helper()
	end := make(chan struct{})
	go func() {
		defer close(end)
		_ = read() // whatever it is that ends it
	}()
	select {
	case <-end:
	case <-time.After(patience):
		t.Errorf("%s goes on", what)
	}
}

// goesOn reads from a stream until it has something.
func goesOn(t *testing.T, what string, s io.Reader) {
	t.Helper()
	if n, err := s.Read(make([]byte, 1)); n == 0 {
		t.Fatalf("%s: %v", what, err)
	}
}

// What a node reads and sends ends when it is removed, on voters and workers;
// what others do goes on, and the node is told on the connections it has.
func TestStreamsOfARemovedNodeEnd(t *testing.T) {
	behave := commands(map[string]func(context.Context, fake.Exec) int{
		"wait": func(ctx context.Context, e fake.Exec) int {
			_, _ = io.WriteString(e.Stdout, "x")
			<-ctx.Done()
			return 0
		},
	})
	r := newRing(t, behave, "a", "b", "w", "gone")
	r.deployWeb()
	_, onA := r.runTask(1, "a")
	_, onW := r.runTask(2, "w")
	containers := map[string]string{"a": onA, "w": onW}
	gone, stays := r.host("gone"), r.host("b")
	type stream struct {
		what string
		read func() error
	}
	var open []stream
	for _, on := range []string{"a", "w"} {
		h := r.host(on)
		h.engine.logs = func(ctx context.Context, _ string, _ runtime.LogOptions, w runtime.LogWriter) error {
			_ = w.Log(time.Now(), "stdout", []byte("x"))
			<-ctx.Done()
			return ctx.Err()
		}
		h.engine.save = func(ctx context.Context, _ string, w io.Writer) error {
			_, _ = w.Write(make([]byte, 1<<20))
			<-ctx.Done()
			return ctx.Err()
		}
	}
	for _, on := range []string{"a", "w"} {
		h := r.host(on)
		image := h.engine.AddImage("big:1")
		paths := []string{
			"/v1/events?follow=1",
			"/v1/node/logs?follow=1&container=" + url.QueryEscape(containers[on]),
			"/v1/node/image?id=" + url.QueryEscape(image),
		}
		if on == "a" {
			paths = append(paths, "/v1/node/feed", "/v1/logs?follow=1&service=shop/web")
		}
		for _, path := range paths {
			body, err := gone.pool.Stream(t.Context(), h.id, http.MethodGet, path, nil)
			if err != nil {
				t.Fatalf("%s of %s: %v", path, on, err)
			}
			defer func() { _ = body.Close() }()
			open = append(open, stream{path + " of " + on, func() error { _, err := io.Copy(io.Discard, body); return err }})
		}
		ws := gone.exec(h, containers[on])
		open = append(open, stream{"exec on " + on, func() error {
			for {
				if _, _, err := ws.Read(t.Context()); err != nil {
					return err
				}
			}
		}})
		// A body that is sent slowly, and an answer that nobody reads.
		body, feed := io.Pipe()
		defer func() { _ = feed.Close() }()
		upload := make(chan error, 1)
		go func() {
			_, err := gone.pool.Stream(t.Context(), h.id, http.MethodPost, "/v1/node/image/layers?id="+url.QueryEscape(image), body)
			upload <- err
		}()
		if _, err := feed.Write([]byte("{")); err != nil {
			t.Fatal(err)
		}
		open = append(open, stream{"an upload to " + on, func() error { return <-upload }})
	}
	other, err := stays.pool.Stream(t.Context(), r.host("a").id, http.MethodGet, "/v1/node/feed", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	goesOn(t, "the feed of b", other)

	r.expel("gone")
	for _, s := range open {
		ends(t, s.what, s.read)
	}
	goesOn(t, "the feed of b", other)
	for _, on := range []string{"a", "w"} {
		err := gone.pool.Call(t.Context(), r.host(on).id, http.MethodGet, "/v1/node/images", nil, nil)
		var e *api.Error
		if !errors.As(err, &e) || e.Code != api.CodeRemoved {
			t.Errorf("%s answers the removed node: %v", on, err)
		}
		s := r.host(on).server
		s.held.mu.Lock()
		for h := range s.held.calls {
			if h.call.caller.NodeID == string(gone.id) {
				t.Errorf("%s still holds %s of the removed node", on, h.rt.pattern)
			}
		}
		s.held.mu.Unlock()
	}
}

// exec opens the channel of a command on another host.
func (h *host) exec(to *host, container string) *websocket.Conn {
	t := h.ring.t
	t.Helper()
	transport := &http.Transport{DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return h.pool.DialTLS(ctx, to.id, security.ALPNHTTP1)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	q := url.Values{"container": {container}, "cmd": {"wait"}}
	ws, _, err := websocket.Dial(t.Context(), "https://x/v1/node/exec?"+q.Encode(), &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}}) //nolint:bodyclose // Dial has closed it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	if _, _, err := ws.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	return ws
}

// A voter that votes no more loses what only voters have, and nothing else.
func TestReviewFollowsTheRule(t *testing.T) {
	r := newRing(t, nil, "a", "b")
	b := r.host("b")
	a := r.host("a").server
	streamOf := func(access security.Access) *call {
		c := &call{Backend: r.host("a").backend, ctx: t.Context(), s: a, r: httpRequest(t), caller: security.Caller{NodeID: string(b.id), PublicKeyHash: b.ident.PublicKeyHash()}}
		t.Cleanup(a.hold(route{access: access, stream: true}, c))
		return c
	}
	asVoter, asNode := streamOf(security.Voter), streamOf(security.AnyNode)
	a.Review()
	if asVoter.ctx.Err() != nil || asNode.ctx.Err() != nil {
		t.Fatal("a stream ended although nothing changed")
	}
	r.apply(state.SetVoter{Node: b.id, Voter: false})
	a.Review()
	if asVoter.ctx.Err() == nil {
		t.Error("a stream for voters goes on")
	}
	if asNode.ctx.Err() != nil {
		t.Error("a stream for every node ended")
	}
	if cause := context.Cause(asVoter.ctx); !errors.Is(cause, errRevoked) {
		t.Errorf("it ended with %v", cause)
	}
}

func httpRequest(t *testing.T) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}
