package agent

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/server"
	"github.com/musterhq/muster/security"
)

// port is an agent's TLS port on a real socket.
type port struct {
	t    *testing.T
	addr string
	tls  *tls.Config // of a host without a certificate
}

func openPort(t *testing.T) *port {
	t.Helper()
	ca, err := security.NewCA(ulid.Make().String(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	id, err := ca.Issue(ulid.Make().String(), time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := security.NewMux(l, security.ServerTLS(func() *security.Identity { return id }, security.VerifyOptions{}), nil)
	a := &Agent{log: slog.New(slog.DiscardHandler), failed: make(chan error, 1)}
	stop := a.serve(mux.HTTP(), server.New(api.Version{}, nil, a.log).NodeHandler())
	t.Cleanup(func() {
		_ = mux.Close()
		stop()
	})
	return &port{t, l.Addr().String(), security.JoinTLS(id.CAHash, id.ClusterID, security.VerifyOptions{})}
}

func (p *port) dial() net.Conn {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// secure shakes hands for a protocol.
func (p *port) secure(protocol string) net.Conn {
	p.t.Helper()
	cfg := p.tls.Clone()
	cfg.NextProtos = []string{protocol}
	conn := tls.Client(p.dial(), cfg)
	if err := conn.HandshakeContext(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	return conn
}

// answers asks the liveness route over a connection of its own.
func (p *port) answers() {
	p.t.Helper()
	tr := &http.Transport{TLSClientConfig: p.tls.Clone(), ForceAttemptHTTP2: true, DisableKeepAlives: true}
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+p.addr+"/healthz", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		p.t.Fatalf("an honest client is not answered: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		p.t.Errorf("an honest client gets HTTP %s", resp.Status)
	}
}

// gone waits until the agent has given the connection up, and returns what it
// said last.
func (p *port) gone(what string, conn net.Conn) string {
	p.t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	said, err := io.ReadAll(conn)
	var ne net.Error
	if asNet(err, &ne) && ne.Timeout() {
		p.t.Errorf("%s: the connection is still open", what)
	}
	return string(said)
}

func asNet(err error, ne *net.Error) (ok bool) {
	*ne, ok = err.(net.Error) //nolint:errorlint // of the connection itself
	return ok
}

// recorded is what a client sends first.
func (p *port) recorded() []byte {
	p.t.Helper()
	here, there := net.Pipe()
	go func() { _ = tls.Client(here, p.tls.Clone()).HandshakeContext(p.t.Context()) }()
	b := make([]byte, 4096)
	n, err := there.Read(b)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = there.Close()
	return b[:n]
}

// Whoever says nothing, nonsense or half of something is given up within
// seconds, costs next to nothing, and nobody else notices.
func TestHostileClients(t *testing.T) {
	t.Parallel()
	p := openPort(t)
	hello := p.recorded()
	bad := map[string]func() net.Conn{
		"silence":          p.dial,
		"garbage":          func() net.Conn { return sent(p.dial(), bytes.Repeat([]byte("\xffGET / HTTP/1.1\r\n"), 1000)) },
		"plain HTTP":       func() net.Conn { return sent(p.dial(), []byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")) },
		"half a handshake": func() net.Conn { return sent(p.dial(), hello[:len(hello)/2]) },
		"a record that promises more": func() net.Conn {
			return sent(p.dial(), append([]byte{22, 3, 1, 0x40, 0}, bytes.Repeat([]byte{1}, 100)...))
		},
		"garbage after the handshake": func() net.Conn {
			conn := p.secure("http/1.1").(*tls.Conn)
			_ = sent(conn.NetConn(), bytes.Repeat([]byte{0x17}, 1000))
			return conn
		},
		"slow headers": func() net.Conn {
			return sent(p.secure("http/1.1"), []byte("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "))
		},
		"headers without an end": func() net.Conn {
			return sent(p.secure("http/1.1"), []byte("GET /healthz HTTP/1.1\r\nX: "+strings.Repeat("x", 2*maxHeader)))
		},
		"HTTP/2 that is none": func() net.Conn { return sent(p.secure("h2"), bytes.Repeat([]byte("x"), 4096)) },
		"an HTTP/2 frame of 16 MiB": func() net.Conn {
			return sent(p.secure("h2"), append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0xff, 0xff, 0xff, 4, 0, 0, 0, 0, 0))
		},
	}
	const each = 20
	before := held()
	conns := map[string][]net.Conn{}
	for what, open := range bad {
		for range each {
			conns[what] = append(conns[what], open())
		}
	}
	p.answers()
	if grown := held() - before; grown > 64<<20 {
		t.Errorf("%d connections hold %d MiB", each*len(bad), grown>>20)
	}
	for what, list := range conns {
		for _, conn := range list {
			said := p.gone(what, conn)
			if what == "headers without an end" && !strings.HasPrefix(said, "HTTP/1.1 431 ") {
				t.Errorf("%s: %q", what, said)
			}
		}
	}
	p.answers()
}

// sent writes what the other side may not read.
func sent(conn net.Conn, b []byte) net.Conn {
	go func() { _, _ = conn.Write(b) }()
	return conn
}

// held is the memory in use.
func held() int {
	goruntime.GC()
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}

// Connections that keep quiet after the handshake make room for those that speak.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	t.Parallel()
	p := openPort(t)
	var quiet []net.Conn
	for range maxGuests + 20 {
		quiet = append(quiet, p.secure("http/1.1"))
	}
	p.answers()
	p.gone("the longest quiet", quiet[0])
}
