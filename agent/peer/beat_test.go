package peer

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/security"
)

// echo answers a call's body.
func echo(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }

func TestBeatsComeInAsBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		var mu sync.Mutex
		as := map[string]string{}
		answer := func(w http.ResponseWriter, r *http.Request) {
			if id, _ := security.PeerID(*r.TLS); id == "" {
				t.Error("a beat without a caller")
			}
			mu.Lock()
			as[r.URL.Path] += r.TLS.NegotiatedProtocol + " "
			mu.Unlock()
			echo(w, r)
		}
		now, _ := n.serve("b:1", answer)
		before, identity := n.identity()
		older := security.ServerTLS(identity, security.VerifyOptions{})
		older.NextProtos = []string{security.ALPNRaft, security.ALPNHTTP2, security.ALPNHTTP1}
		n.serveWith(before, older, "c:1", answer)
		p := n.pool()
		for range 2 {
			for path, id := range map[string]cluster.NodeID{"/now": now, "/before": before} {
				var got string
				if err := p.Beat(t.Context(), id, path, "hello", &got); err != nil || got != "hello" {
					t.Fatalf("%s: %q, %v", path, got, err)
				}
			}
		}
		if as["/now"] != "muster-beat/1 muster-beat/1 " || as["/before"] != "http/1.1 http/1.1 " {
			t.Errorf("spoken: %q", as)
		}
		if d := n.dialled("b:1") + n.dialled("c:1"); d != 2 {
			t.Errorf("%d connections, want 2", d)
		}
	})
}

// The first beat to a node that was started anew arrives, though the connection
// that was kept leads nowhere.
func TestBeatsOutliveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		id, identity := n.identity()
		p := n.pool()
		for range 3 {
			stop := n.serveAs(id, identity, "b:1", echo)
			var got string
			if err := p.Beat(t.Context(), id, "/x", "hello", &got); err != nil || got != "hello" {
				t.Fatalf("%q, %v", got, err)
			}
			stop()
		}
	})
}

func TestBeatEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		id, _ := n.serve("b:1", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				time.Sleep(10 * time.Second)
			}
			echo(w, r)
		})
		p := n.pool()
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			began := time.Now()
			err := p.Beat(ctx, id, "/slow", "hello", nil)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("after %s: %v", time.Since(began), err)
			}
			var got string // not the answer to the one before
			if err := p.Beat(t.Context(), id, "/x", "next", &got); err != nil || got != "next" {
				t.Errorf("the next one: %q, %v", got, err)
			}
		}
		time.Sleep(10 * time.Second) // the handlers end
	})
}

// Two beats at a time have a connection each, which are kept, and closed when
// they have been idle for long.
func TestBeatConnectionsAreKeptForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		id, _ := n.serve("b:1", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			echo(w, r)
		})
		p := n.pool()
		two := func() {
			var both sync.WaitGroup
			for range 2 {
				both.Go(func() {
					if err := p.Beat(t.Context(), id, "/x", "hello", nil); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
		}
		two()
		two()
		if d := n.dialled("b:1"); d != 2 {
			t.Errorf("%d connections for two at a time, want 2", d)
		}
		time.Sleep(idleTimeout + time.Second)
		if open := len(p.open.to(id)); open != 0 {
			t.Errorf("%d connections are open after %s", open, idleTimeout)
		}
		two()
		p.Close()
		if open := len(p.open.to(id)); open != 0 {
			t.Errorf("%d connections are open when the pool is closed", open)
		}
	})
}

// What is no beat does not get far on a connection for beats.
func TestBeatsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		id, _ := n.serve("b:1", func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/much":
				_, err := w.Write(make([]byte, maxBeatSays+1))
				_ = json.NewEncoder(w).Encode(errors.Is(err, errTooLong))
			case "/endless":
				<-r.Context().Done()
				_ = json.NewEncoder(w).Encode(true)
			default:
				t.Errorf("%s was served", r.URL.Path)
			}
		})
		p := n.pool()
		began := time.Now()
		for _, path := range []string{"/much", "/endless"} {
			var ended bool
			if err := p.Beat(t.Context(), id, path, nil, &ended); err != nil || !ended {
				t.Errorf("%s: %v, %v", path, ended, err)
			}
		}
		if took := time.Since(began); took != beatLimit {
			t.Errorf("served for %s", took)
		}
		if err := p.Beat(t.Context(), id, "/"+strings.Repeat("x", 2*maxBeatHead), nil, nil); err == nil {
			t.Error("a head without end was taken")
		}

		// Who says nothing is hung up on.
		conn, err := p.DialTLS(t.Context(), id, security.ALPNBeat)
		if err != nil {
			t.Fatal(err)
		}
		began = time.Now()
		if _, err := conn.Read(make([]byte, 1)); err == nil || time.Since(began) != beatSilence {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		_ = conn.Close()
	})
}

// inBase is a handler as net/http hands it to a protocol's server.
type inBase struct {
	http.HandlerFunc
	base context.Context
}

func (h inBase) BaseContext() context.Context { return h.base }

func TestServeBeatsEndsWithItsServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer func() { _ = here.Close() }()
		base, stop := context.WithCancel(t.Context())
		var serves sync.WaitGroup
		serves.Go(func() { ServeBeats(nil, tls.Server(there, &tls.Config{}), inBase{echo, base}) }) //nolint:gosec // never shakes hands
		synctest.Wait()
		stop()
		serves.Wait()
	})
}
