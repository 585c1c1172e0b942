package probe

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen takes connections at an address of its own and hands them to serve.
func listen(t *testing.T, serve func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.7:0")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-over })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// web serves HTTP/1 and HTTP/2 without TLS.
func web(t *testing.T, h http.HandlerFunc) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.7:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	over := make(chan struct{})
	go func() { defer close(over); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-over })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// result makes one check.
func result(t *testing.T, at netip.AddrPort, patience time.Duration, p cluster.Probe) string {
	t.Helper()
	switch {
	case p.HTTP != nil:
		p.HTTP.Port = at.Port()
	case p.TCP != nil:
		p.TCP.Port = at.Port()
	case p.GRPC != nil:
		p.GRPC.Port = at.Port()
	}
	return once(t.Context(), newCheck(nil, Target{Address: at.Addr(), Probe: &p}), patience)
}

const (
	long  = time.Minute            // nothing here takes as long
	brief = 200 * time.Millisecond // for what never comes
)

func want(t *testing.T, what, got, part string) {
	t.Helper()
	if part == "" && got != "" || !strings.Contains(got, part) {
		t.Errorf("%s: %q, want %q", what, got, part)
	}
}

func TestHTTP(t *testing.T) {
	at := web(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.WriteHeader(status)
	})
	get := func(path string, status int) string {
		return result(t, at, long, cluster.Probe{HTTP: &cluster.HTTPProbe{Path: path, Status: status}})
	}
	want(t, "200", get("/200", 0), "")
	want(t, "204", get("/204?a=b%20c", 0), "")
	want(t, "503", get("/503", 0), fmt.Sprintf("GET http://%s/503: 503 Service Unavailable", at))
	want(t, "204 for 200", get("/204", 200), "204 No Content")
	want(t, "418 for 418", get("/418", 418), "")
}

// A task cannot send its node elsewhere, nor can the node's environment.
func TestHTTPGoesNowhereElse(t *testing.T) {
	other := web(t, func(http.ResponseWriter, *http.Request) { t.Error("somebody else was asked") })
	t.Setenv("HTTP_PROXY", "http://"+other.String())
	at := web(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+other.String(), http.StatusFound)
	})
	want(t, "a redirect", result(t, at, long, cluster.Probe{HTTP: &cluster.HTTPProbe{}}), "")
	want(t, "a redirect for a 200", result(t, at, long, cluster.Probe{HTTP: &cluster.HTTPProbe{Status: 200}}), "302 Found")
}

func TestHTTPOfHostileServers(t *testing.T) {
	endless := web(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(bytes.Repeat([]byte("a"), 1<<10)); err != nil {
				return
			}
		}
	})
	p := cluster.Probe{HTTP: &cluster.HTTPProbe{}}
	want(t, "an endless body", result(t, endless, long, p), "")
	stuck := web(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	want(t, "a body that never comes", result(t, stuck, brief, p), "no answer within 200ms")
	silent := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	want(t, "silence", result(t, silent, brief, p), "no answer within 200ms")
	garbage := listen(t, func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-x\r\n")) })
	if got := result(t, garbage, long, p); got == "" {
		t.Error("another protocol passes")
	}
	header := listen(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nA: ")
		for {
			if _, err := c.Write(bytes.Repeat([]byte("a"), 1<<10)); err != nil {
				return
			}
		}
	})
	if got := result(t, header, long, p); got == "" {
		t.Error("an endless header passes")
	}
}

func TestTCP(t *testing.T) {
	p := cluster.Probe{TCP: &cluster.TCPProbe{}}
	at := listen(t, func(net.Conn) {})
	want(t, "a listener", result(t, at, long, p), "")
	want(t, "another address", result(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.8"), at.Port()), long, p), "connection refused")
	want(t, "no address", result(t, netip.AddrPortFrom(netip.Addr{}, 80), long, p), "has not said")
}
