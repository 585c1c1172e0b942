package client

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipes is a listener whose connections are in memory, so that a whole exchange
// runs in virtual time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return commandAddr{} }

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve runs handler behind a client, within the test's bubble.
func serve(t *testing.T, handler http.HandlerFunc, options ...Option) *Client {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(p)
	}()
	c, err := New("", options...)
	if err != nil {
		t.Fatal(err)
	}
	c.dial = p.dial
	t.Cleanup(func() {
		c.Close()
		_ = server.Close()
		<-done
	})
	return c
}

func fail(w http.ResponseWriter, e *api.Error) {
	w.WriteHeader(e.Status())
	_ = json.NewEncoder(w).Encode(api.ErrorBody{Error: e})
}

func TestErrorOfTheAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			fail(w, api.Errorf(api.CodeNotFound, "there is no node %q", "n9").WithHint("list them"))
		})
		_, err := c.Node(t.Context(), "n9")
		var e *api.Error
		if !errors.As(err, &e) || e.Code != api.CodeNotFound || err.Error() != `there is no node "n9"; list them` {
			t.Errorf("got %v", err)
		}
		if !NotFound(err) || Passing(err) {
			t.Errorf("NotFound %v, Passing %v", NotFound(err), Passing(err))
		}
	})
}

func TestNamesAreEscaped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got string
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			got = r.URL.EscapedPath() + "?" + r.URL.RawQuery
			_, _ = w.Write([]byte(`{}`))
		})
		if _, err := c.Node(t.Context(), "a/b?c"); err != nil {
			t.Fatal(err)
		}
		if want := "/v1/nodes/a%2Fb%3Fc?"; got != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
	})
}

// TestWriteIsRepeated holds the promise of a write: it is sent until there is a
// leader, always under one request ID, and says why it waits after two seconds.
func TestWriteIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		var told []string
		start := time.Now()
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			var d api.Deploy
			if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
				t.Error(err)
			}
			ids = append(ids, d.Request)
			switch elapsed := time.Since(start); {
			case elapsed < time.Second:
				fail(w, api.Errorf(api.CodeNoQuorum, "no leader"))
			case elapsed < 4*time.Second:
				fail(w, api.Errorf(api.CodeUnknown, "the leader left"))
			default:
				_, _ = w.Write([]byte(`{"stack":"shop","index":7}`))
			}
		}, OnWait(func(err error) { told = append(told, time.Since(start).Round(time.Second).String()+" "+err.Error()) }))
		got, err := c.Deploy(t.Context(), "shop", nil)
		if err != nil || got.Index != 7 {
			t.Fatalf("got %+v, %v", got, err)
		}
		if late := time.Since(start) - 4*time.Second; late > pauseLimit {
			t.Errorf("taken %s after it could be, want %s at most", late, pauseLimit)
		}
		if _, err := ulid.ParseStrict(ids[0]); err != nil {
			t.Errorf("the request ID %q: %v", ids[0], err)
		}
		if len(slices.Compact(ids)) != 1 {
			t.Errorf("several request IDs: %v", ids)
		}
		if len(told) != 1 || !strings.HasSuffix(told[0], " the leader left") {
			t.Errorf("told %v, want one line", told)
		}
	})
}

func TestWriteGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { fail(w, api.Errorf(api.CodeNoQuorum, "no leader")) })
		start := time.Now()
		_, err := c.Scale(t.Context(), "shop", "web", 3)
		if Code(err) != api.CodeNoQuorum {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took < RetryFor/2 || took > RetryFor {
			t.Errorf("gave up after %s, want nearly %s", took, RetryFor)
		}
	})
}

// A cluster that has had no leader for long is not waited for.
func TestWriteWithoutAMajorityIsAnsweredAtOnce(t *testing.T) {
	for _, code := range []api.Code{api.CodeNoQuorum, api.CodeUnavailable} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				e := api.Errorf(code, "no leader")
				e.Lasting = time.Since(start) > time.Second // the cut was just before
				fail(w, e)
			}, OnWait(func(err error) { t.Errorf("it waits: %v", err) }))
			_, err := c.Scale(t.Context(), "shop", "web", 3)
			if took := time.Since(start); Code(err) != code || took < time.Second || took > 2*time.Second {
				t.Errorf("after %s: %v", took, err)
			}
			start = start.Add(-time.Minute)
			again := time.Now()
			if _, err := c.Scale(t.Context(), "shop", "web", 3); Code(err) != code || time.Since(again) != 0 {
				t.Errorf("after %s: %v", time.Since(again), err)
			}
		})
	}
}

// TestUnrepeatable sends a write that could take effect twice only once when its
// outcome is not known.
func TestUnrepeatable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			calls++
			fail(w, api.Errorf(api.CodeUnknown, "the leader left"))
		})
		_, err := c.CreateToken(t.Context(), api.CreateToken{})
		if Code(err) != api.CodeUnknown || calls != 1 {
			t.Errorf("%d calls, %v", calls, err)
		}
	})
}

func TestBrokenConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := map[string]int{}
		c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			calls[r.Method]++
			panic(http.ErrAbortHandler)
		})
		if _, err := c.Status(t.Context()); err == nil || !Passing(err) {
			t.Errorf("a read: %v", err)
		}
		if _, err := c.RemoveStack(t.Context(), "shop"); err == nil || !Passing(err) {
			t.Errorf("a write: %v", err)
		}
		if calls[http.MethodGet] != 2 || calls[http.MethodDelete] < 5 {
			t.Errorf("calls %v, want two reads and several writes", calls)
		}
	})
}

func TestReadHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		_, err := c.Status(t.Context())
		if !errors.Is(err, errTimeout) {
			t.Errorf("got %v", err)
		}
	})
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if d := cmp.Diff(url.Values{"service": {"shop/web"}, "tail": {"2"}, "follow": {"1"}}, r.URL.Query()); d != "" {
				t.Errorf("query (-want +got):\n%s", d)
			}
			_, _ = w.Write([]byte(`{"line":"one"}` + "\n" + `{"line":"two"}` + "\n" + `{"error":{"code":"unavailable","message":"gone"}}` + "\n"))
		})
		var lines []string
		var last error
		for line, err := range c.Logs(t.Context(), LogQuery{Service: "shop/web", Follow: true, Tail: 2}) {
			if last = err; err == nil {
				lines = append(lines, line.Line)
			}
		}
		if d := cmp.Diff([]string{"one", "two"}, lines); d != "" {
			t.Error(d)
		}
		if Code(last) != api.CodeUnavailable {
			t.Errorf("the stream ended with %v", last)
		}
	})
}

// TestStreamEnds leaves nothing behind, whoever ends a stream.
func TestStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"index":1}` + "\n"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		for e, err := range c.Events(t.Context(), EventQuery{Follow: true, Tail: -1}) {
			if err != nil || e.Index != 1 {
				t.Errorf("got %+v, %v", e, err)
			}
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		for _, err := range c.Events(ctx, EventQuery{Follow: true, Tail: -1}) {
			last = err
			cancel()
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("a canceled stream ended with %v", last)
		}
	})
}

func TestNoAgent(t *testing.T) {
	dir := t.TempDir()
	c, err := New("unix://" + filepath.Join(dir, "none.sock"))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = c.Deploy(t.Context(), "shop", nil)
	var connect *ConnectError
	if !errors.As(err, &connect) || !strings.Contains(err.Error(), "sudo systemctl start muster") {
		t.Errorf("got %v", err)
	}
	if time.Since(start) > RetryFor/2 {
		t.Error("an agent that was never there was waited for")
	}
	for cause, want := range map[error]string{
		&os.SyscallError{Syscall: "connect", Err: syscall.EACCES}:       "use sudo",
		&os.SyscallError{Syscall: "connect", Err: syscall.ECONNREFUSED}: "start it with",
		context.DeadlineExceeded: "does not answer",
		errors.New("strange"):    "strange",
	} {
		if got := connectError("unix:///x", &net.OpError{Op: "dial", Err: cause}).Error(); !strings.Contains(got, want) {
			t.Errorf("%v: got %q, want it to have %q", cause, got, want)
		}
	}
}

func TestHosts(t *testing.T) {
	for _, host := range []string{"/run/muster.sock", "unix://run/muster.sock", "tcp://10.0.0.1:7070", "ssh://", "ssh://-oProxyCommand=x", "ssh://a:b@c", "%"} {
		if _, err := New(host); err == nil {
			t.Errorf("%q is taken", host)
		}
	}
	for _, host := range []string{"", "unix:///run/muster.sock", "ssh://ops@10.0.0.1:22"} {
		if _, err := New(host); err != nil {
			t.Errorf("%q: %v", host, err)
		}
	}
}
