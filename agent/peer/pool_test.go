package peer

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/cluster"
)

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `"hello"`) }

// greet calls a node that says hello.
func greet(t *testing.T, p *Pool, id cluster.NodeID) {
	t.Helper()
	var got string
	if err := p.Call(t.Context(), id, http.MethodGet, "/x", nil, &got); err != nil || got != "hello" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestConnectionsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		id, _ := n.serve("b:1", hello)
		p := n.pool()
		for range 5 {
			greet(t, p, id)
		}
		if d := n.dialled("b:1"); d != 1 {
			t.Errorf("%d connections for calls, want 1", d)
		}
		body, err := p.Stream(t.Context(), id, http.MethodGet, "/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = body.Close()
		if d := n.dialled("b:1"); d != 2 {
			t.Errorf("%d connections, want one more for bulk", d)
		}
	})
}

// Beats have one connection of their own, whatever else goes on.
func TestBeatsHaveAConnectionOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		id, _ := n.serve("b:1", func(w http.ResponseWriter, r *http.Request) {
			_ = json.NewEncoder(w).Encode(r.Proto)
		})
		p := n.pool()
		for i := range 5 {
			var proto string
			if err := p.Beat(t.Context(), id, "/x", i, &proto); err != nil || proto != "HTTP/1.1" {
				t.Fatalf("beat %d: %q, %v", i, proto, err)
			}
			if err := p.Call(t.Context(), id, http.MethodPost, "/x", i, &proto); err != nil || proto != "HTTP/2.0" {
				t.Fatalf("call %d: %q, %v", i, proto, err)
			}
		}
		if d := n.dialled("b:1"); d != 2 {
			t.Errorf("%d connections, want one for beats and one for calls", d)
		}
		p.Drop(id)
		if err := p.Beat(t.Context(), id, "/x", 0, nil); err != nil {
			t.Fatal(err)
		}
		if d := n.dialled("b:1"); d != 3 {
			t.Errorf("%d connections after the old ones were dropped, want 3", d)
		}
	})
}

// Whoever answers at a node's address has to be that node.
func TestAnotherNodeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		served := false
		wrong, _ := n.serve("b:1", func(http.ResponseWriter, *http.Request) { served = true })
		wanted, _ := n.identity()
		n.move(wanted, "b:1")
		p := n.pool()
		var met []string
		p.Stranger = func(node cluster.NodeID, address string, _ error) { met = append(met, string(node)+" "+address) }
		for range 2 {
			err := p.Call(t.Context(), wanted, http.MethodGet, "/x", nil, nil)
			if err == nil || served || !strings.Contains(err.Error(), string(wanted)) || !strings.Contains(err.Error(), string(wrong)) {
				t.Errorf("served %v, error %v", served, err)
			}
		}
		if want := []string{string(wanted) + " b:1"}; !slices.Equal(met, want) {
			t.Errorf("strangers %q, want %q", met, want)
		}
	})
}

func TestAnotherClusterIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, other := newNetwork(t), newNetwork(t)
		id, identity := other.identity()
		served := false
		n.serveAs(id, identity, "b:1", func(http.ResponseWriter, *http.Request) { served = true })
		if err := n.pool().Call(t.Context(), id, http.MethodGet, "/x", nil, nil); err == nil || served {
			t.Errorf("served %v, error %v", served, err)
		}
	})
}

func TestUnknownNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		err := n.pool().Call(t.Context(), "X", http.MethodGet, "/x", nil, nil)
		if !errors.Is(err, ErrNoAddress) || !strings.Contains(err.Error(), "X") {
			t.Errorf("got %v", err)
		}
	})
}

// A node that moved is found at its new address by the next connection.
func TestAddressesAreLookedUpByEachDial(t *testing.T) {
	for name, lose := range map[string]func(p *Pool, id cluster.NodeID, stop func()){
		"the connection broke":       func(_ *Pool, _ cluster.NodeID, stop func()) { stop() },
		"the connection was dropped": func(p *Pool, id cluster.NodeID, _ func()) { p.Drop(id) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				id, identity := n.identity()
				stop := n.serveAs(id, identity, "b:1", hello)
				p := n.pool()
				greet(t, p, id)
				n.serveAs(id, identity, "b:2", hello)
				greet(t, p, id)
				if n.dialled("b:2") != 0 {
					t.Error("a good connection was left")
				}
				lose(p, id, stop)
				synctest.Wait()
				greet(t, p, id)
				if n.dialled("b:1") != 1 || n.dialled("b:2") != 1 {
					t.Errorf("%d dials to the old address, %d to the new one", n.dialled("b:1"), n.dialled("b:2"))
				}
			})
		})
	}
}

// Of several addresses the one where the node itself answers is taken, whatever
// is at the others.
func TestTheAddressThatLeadsToTheNodeIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		id, identity := n.identity()
		other, others := n.identity()
		n.serveAs(other, others, "b:1", hello)
		n.serveAs(id, identity, "b:2", hello)
		n.silent["b:3"] = true
		n.move(id, "b:1", "b:2", "b:3")
		p := n.pool()
		begun := time.Now()
		greet(t, p, id)
		if took := time.Since(begun); took != 0 {
			t.Errorf("it waited %v for an address that does not answer", took)
		}
		n.move(id, "b:3", "b:1")
		p.Drop(id)
		if err := p.Call(t.Context(), id, http.MethodGet, "/", nil, nil); err == nil {
			t.Error("a call to a node that is nowhere was answered")
		}
	})
}

// Drop does not break what is under way.
func TestDropLeavesCallsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		release := make(chan struct{})
		id, _ := n.serve("b:1", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				<-release
			}
			hello(w, r)
		})
		p := n.pool()
		done := make(chan error, 1)
		go func() { done <- p.Call(t.Context(), id, http.MethodGet, "/slow", nil, nil) }()
		synctest.Wait()
		p.Drop(id)
		greet(t, p, id)
		if n.dialled("b:1") != 2 {
			t.Errorf("%d dials, want a new one after Drop", n.dialled("b:1"))
		}
		close(release)
		if err := <-done; err != nil {
			t.Errorf("the call under way: %v", err)
		}
	})
}

// Whatever way the other end is silent, a call without a deadline of its own
// ends within seconds.
func TestSilenceIsNotWaitedFor(t *testing.T) {
	const soon = 4 * time.Second
	call := func(t *testing.T, p *Pool, id cluster.NodeID) {
		t.Helper()
		begun := time.Now()
		err := p.Call(t.Context(), id, http.MethodGet, "/x", nil, nil)
		if took := time.Since(begun); err == nil || took > soon {
			t.Errorf("error %v after %s", err, took)
		}
	}
	t.Run("no answer to the dial", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			id, _ := n.identity()
			n.move(id, "b:1")
			n.silent["b:1"] = true
			call(t, n.pool(), id)
		})
	})
	t.Run("no handshake", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			id, _ := n.identity()
			n.move(id, "b:1")
			l := n.listen("b:1")
			go func() {
				c, err := l.Accept()
				if err == nil { // its bytes are read and never answered
					_, _ = io.Copy(io.Discard, c)
				}
			}()
			call(t, n.pool(), id)
			_ = l.Close()
		})
	})
	t.Run("a connection that was cut", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			id, _ := n.serve("b:1", hello)
			p := n.pool()
			greet(t, p, id)
			n.cut()
			call(t, p, id)
			greet(t, p, id) // over a new connection
		})
	})
	t.Run("a stream that was cut", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			id, _ := n.serve("b:1", func(w http.ResponseWriter, r *http.Request) {
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			})
			body, err := n.pool().Stream(t.Context(), id, http.MethodGet, "/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = body.Close() }()
			n.cut()
			begun := time.Now()
			_, err = body.Read(make([]byte, 1))
			if took := time.Since(begun); err == nil || took > soon {
				t.Errorf("error %v after %s", err, took)
			}
		})
	})
	t.Run("a handler that hangs, until the caller's deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			id, _ := n.serve("b:1", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			begun := time.Now()
			err := n.pool().Call(ctx, id, http.MethodGet, "/x", nil, nil)
			if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took != time.Minute {
				t.Errorf("error %v after %s: the connection lives, so only the deadline ends it", err, took)
			}
		})
	})
}

// A node that was removed says nothing more here, on whatever was open; others do.
func TestCutBreaksWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		endless := func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
		p := n.pool()
		removed, _ := n.serve("b:1", endless)
		stays, _ := n.serve("c:1", endless)
		streams := map[cluster.NodeID]io.ReadCloser{}
		ended := false
		for _, id := range []cluster.NodeID{removed, stays} {
			body, err := p.Stream(t.Context(), id, http.MethodGet, "/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			streams[id] = body
		}
		raw, err := p.DialTLS(t.Context(), removed)
		if err != nil {
			t.Fatal(err)
		}
		p.Cut(removed)
		if _, err := raw.Read(make([]byte, 1)); err == nil {
			t.Error("a connection of its own goes on")
		}
		if _, err := streams[removed].Read(make([]byte, 1)); err == nil {
			t.Error("a stream goes on")
		}
		go func() {
			_, _ = io.Copy(io.Discard, streams[stays])
			ended = true
		}()
		synctest.Wait()
		if ended {
			t.Error("a stream of another node ended")
		}
		_ = streams[stays].Close()
		synctest.Wait()
	})
}
