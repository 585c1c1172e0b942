package server

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/security"
)

// stranger dials a host's port without a certificate.
func (h *host) stranger() *tls.Conn {
	t := h.ring.t
	t.Helper()
	cfg := security.JoinTLS(h.ident.CAHash, h.ring.id, security.VerifyOptions{})
	cfg.NextProtos = []string{security.ALPNHTTP1}
	conn, err := tls.Dial("tcp", h.address.String(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// member dials it as another host.
func (h *host) member(as *host) net.Conn {
	t := h.ring.t
	t.Helper()
	conn, err := as.pool.DialTLS(t.Context(), h.id, security.ALPNHTTP1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func post(path string, length int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", path, length)
}

// readAnswer reads one answer to its end; an error when the connection ends first.
func readAnswer(conn net.Conn) (status int, body []byte, err error) {
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// Strangers who say what they will send and do not send it are given up, and
// hold up nobody: there are more of them than are served at once.
func TestSlowBodiesOfStrangers(t *testing.T) {
	r := newRing(t, nil, "a", "b")
	for _, h := range r.hosts {
		h.server.bounds.stranger = 200 * time.Millisecond
	}
	for _, on := range []string{"a", "b"} {
		var slow []*tls.Conn
		for range maxReading + 8 {
			conn := r.host(on).stranger()
			if _, err := io.WriteString(conn, post("/v1/node/join", 1000)+"{"); err != nil {
				t.Fatal(err)
			}
			slow = append(slow, conn)
		}
		honest := r.host(on).stranger()
		_, _ = io.WriteString(honest, post("/v1/node/join", 2)+"{}")
		status, body, err := readAnswer(honest)
		if err != nil || status != http.StatusUnauthorized && status != http.StatusForbidden && status != http.StatusBadRequest {
			t.Errorf("an honest host is answered by %s: HTTP %d, %v: %s", on, status, err, body)
		}
		for _, conn := range slow {
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, conn); err != nil && isTimeout(err) {
				t.Fatalf("%s still waits for a slow body", on)
			}
		}
	}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error) //nolint:errorlint // of the connection itself
	return ok && ne.Timeout()
}

// A body that trickles is waited for while it comes along, however long that
// takes, and no longer. What nobody reads is not waited for either.
func TestBodiesThatTrickle(t *testing.T) {
	r := newRing(t, nil, "a", "b")
	a := r.host("a")
	a.server.bounds.stall = time.Second
	body := `{"set":{"a":"` + strings.Repeat("x", 20) + `"}}`
	conn := a.member(r.host("b"))
	_, _ = io.WriteString(conn, post("/v1/nodes/b/labels", len(body)))
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for i := range body {
		<-tick.C
		if _, err := io.WriteString(conn, body[i:i+1]); err != nil {
			t.Fatalf("after %d bytes: %v", i, err)
		}
	}
	if status, got, err := readAnswer(conn); err != nil || status != http.StatusOK {
		t.Errorf("a slow body that came along: HTTP %d, %v: %s", status, err, got)
	}

	conn = a.member(r.host("b"))
	_, _ = io.WriteString(conn, post("/v1/nodes/b/labels", len(body))+body[:5])
	status, got, err := readAnswer(conn)
	if e := errorOf(t, got); err != nil || status != http.StatusServiceUnavailable || !strings.Contains(e.Message, "in time") || e.Hint == "" {
		t.Errorf("a body that stopped: HTTP %d, %v: %+v", status, err, e)
	}

	conn = a.member(r.host("b"))
	_, _ = io.WriteString(conn, post("/v1/nodes/nobody/availability", 100_000)+"{")
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, conn); err != nil && isTimeout(err) {
		t.Error("the rest of a body that nobody reads is waited for")
	}
}

// What is too large is refused in words, on every way.
func TestOversizedBodies(t *testing.T) {
	r := newRing(t, nil, "a", "b")
	for _, tc := range []struct {
		name, path string
		conn       func(h *host) net.Conn
		size       int64
	}{
		{"a stranger", "/v1/node/join", func(h *host) net.Conn { return h.stranger() }, usualBounds.strangerMax},
		{"a member", "/v1/nodes/b/labels", func(h *host) net.Conn { return h.member(r.hosts[1]) }, maxBody},
		{"a member's stream", "/v1/node/image/layers?id=sha256:" + strings.Repeat("0", 64), func(h *host) net.Conn { return h.member(r.hosts[1]) }, maxBody},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := tc.conn(r.host("a"))
			large := append([]byte(`{"x":"`), bytes.Repeat([]byte("x"), int(tc.size))...)
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				_, _ = io.WriteString(conn, post(tc.path, len(large)))
				_, _ = conn.Write(large)
			}()
			status, body, err := readAnswer(conn)
			if err != nil {
				t.Fatal(err)
			}
			if e := errorOf(t, body); e.Code != api.CodeTooLarge || status != http.StatusRequestEntityTooLarge {
				t.Errorf("HTTP %d: %+v", status, e)
			}
			_ = conn.Close()
			<-sent
		})
	}
}
