package security

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// muxFixture is a mux on a pipe listener with one member as client.
type muxFixture struct {
	mux    *Mux
	ln     *pipeListener
	ca     *CA
	client *Identity
}

func newMuxFixture(t testing.TB) *muxFixture {
	t.Helper()
	ca := mustCA(t, cluster1)
	f := &muxFixture{ln: newPipeListener(), ca: ca, client: mustIssue(t, ca, node2)}
	f.mux = NewMux(f.ln, ServerTLS(fixed(mustIssue(t, ca, node1)), at(epoch)), nil)
	return f
}

func (f *muxFixture) dial(cfg *tls.Config) (*tls.Conn, error) {
	raw, err := f.ln.dial()
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(context.Background()); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}

func (f *muxFixture) clientTLS(alpn ...string) *tls.Config {
	return ClientTLS(fixed(f.client), node1, at(epoch), alpn...)
}

// echo answers each connection of l with the peer's node ID, until l closes.
func echo(l net.Listener) *sync.WaitGroup {
	wg := new(sync.WaitGroup)
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p, _ := ConnPeer(conn)
			_, _ = io.WriteString(conn, p.NodeID)
			_ = conn.Close()
		}
	})
	return wg
}

func TestMuxSplitsByProtocol(t *testing.T) {
	f := newMuxFixture(t)
	raft := echo(f.mux.Raft())
	var web http.Server
	web.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := PeerID(*r.TLS)
		_, _ = io.WriteString(w, r.Proto+" "+id)
	})
	var served sync.WaitGroup
	served.Go(func() { _ = web.Serve(f.mux.HTTP()) })

	conn, err := f.dial(f.clientTLS(ALPNRaft))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); string(got) != node2 || err != nil {
		t.Errorf("raft stream: %q, %v; want %q", got, err, node2)
	}
	_ = conn.Close()

	for want, cfg := range map[string]*tls.Config{
		"HTTP/2.0 " + node2: f.clientTLS(),
		"HTTP/1.1 " + node2: f.clientTLS(ALPNHTTP1),
		"HTTP/2.0 ":         JoinTLS(f.ca.Hash(), cluster1, at(epoch)),
	} {
		tr := &http.Transport{ForceAttemptHTTP2: cfg.NextProtos[0] == ALPNHTTP2}
		tr.DialTLSContext = func(context.Context, string, string) (net.Conn, error) { return f.dial(cfg) }
		resp, err := (&http.Client{Transport: tr}).Get("https://node/healthz")
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != want {
			t.Errorf("served %q, want %q", body, want)
		}
		tr.CloseIdleConnections()
	}
	_ = web.Close()
	if err := f.mux.Close(); err != nil {
		t.Error(err)
	}
	served.Wait()
	raft.Wait()
	if _, err := f.mux.Raft().Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
}

func TestMuxRefusesRaftOfStrangers(t *testing.T) {
	f := newMuxFixture(t)
	raft := echo(f.mux.Raft())
	stranger := mustIssue(t, mustCA(t, cluster2), node2)
	noCert := JoinTLS(f.ca.Hash(), cluster1, at(epoch))
	noCert.NextProtos = []string{ALPNRaft}
	foreign := f.clientTLS(ALPNRaft)
	foreign.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &stranger.Cert, nil }
	for name, cfg := range map[string]*tls.Config{"no certificate": noCert, "foreign": foreign} {
		conn, err := f.dial(cfg)
		if err != nil {
			continue // refused even sooner
		}
		if got, err := io.ReadAll(conn); err == nil || len(got) > 0 {
			t.Errorf("%s: read %q, %v", name, got, err)
		}
		_ = conn.Close()
	}
	_ = f.mux.Close()
	raft.Wait()
}

func TestMuxClosesSilentClientsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMuxFixture(t)
		raft := echo(f.mux.Raft())
		silent, err := f.ln.dial()
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var cut sync.WaitGroup
		var after time.Duration
		cut.Go(func() {
			_, _ = silent.Read(make([]byte, 1))
			after = time.Since(start)
		})
		conn, err := f.dial(f.clientTLS(ALPNRaft))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(conn); string(got) != node2 {
			t.Errorf("a member beside a silent client read %q", got)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("a member waited %v for a silent client", d)
		}
		_ = conn.Close()
		cut.Wait()
		if after != handshakeTimeout {
			t.Errorf("the silent client was closed after %v, want %v", after, handshakeTimeout)
		}
		_ = silent.Close()
		_ = f.mux.Close()
		raft.Wait()
	})
}

func TestMuxEvictsTheOldestHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMuxFixture(t)
		raft := echo(f.mux.Raft())
		start := time.Now()
		var conns []net.Conn
		for range maxHandshakes + 1 {
			c, err := f.ln.dial()
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
		}
		conn, err := f.dial(f.clientTLS(ALPNRaft))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(conn); string(got) != node2 || time.Since(start) != 0 {
			t.Errorf("a member behind a full house read %q after %v", got, time.Since(start))
		}
		_ = conn.Close()
		synctest.Wait()
		for i, c := range conns {
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := c.Read(make([]byte, 1))
			if closed, want := errors.Is(err, io.EOF), i < 2; closed != want {
				t.Errorf("silent client %d: closed %v, want %v (%v)", i, closed, want, err)
			}
			_ = c.Close()
		}
		_ = f.mux.Close()
		raft.Wait()
	})
}

func TestMuxWithoutServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMuxFixture(t)
		_ = f.mux.Raft().Close() // raft is gone, HTTP nobody accepts yet
		conn, err := f.dial(f.clientTLS(ALPNRaft))
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
			_ = conn.Close()
		}
		if err == nil {
			t.Error("a closed protocol was served")
		}
		start := time.Now()
		conn, err = f.dial(f.clientTLS())
		if err != nil {
			t.Fatal(err)
		}
		if _, err = conn.Read(make([]byte, 1)); err == nil || time.Since(start) != handshakeTimeout {
			t.Errorf("an unserved connection ended with %v after %v", err, time.Since(start))
		}
		_ = conn.Close()
		_ = f.mux.Close()
	})
}

// A node that ceases to be a voter and becomes one again is dialled on the same
// port.
func TestMuxServesRaftAgain(t *testing.T) {
	f := newMuxFixture(t)
	for range 2 {
		l := f.mux.Raft()
		raft := echo(l)
		conn, err := f.dial(f.clientTLS(ALPNRaft))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Errorf("no answer: %v", err)
		}
		_ = conn.Close()
		_ = l.Close()
		raft.Wait()
	}
	_ = f.mux.Close()
	if _, err := f.mux.Raft().Accept(); err == nil {
		t.Error("a closed port has a listener")
	}
}

func TestMuxCloseEndsPendingHandshakes(t *testing.T) {
	f := newMuxFixture(t)
	c, err := f.ln.dial()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.mux.Close(); err != nil { // returns: it waits for no deadline of a client
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the pending connection is still open")
	}
	_ = c.Close()
}

// flakyListener fails a few times before it hands out connections.
type flakyListener struct {
	*pipeListener
	failures int
}

func (l *flakyListener) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, errors.New("too many open files")
	}
	return l.pipeListener.Accept()
}

func TestMuxSurvivesAcceptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := mustCA(t, cluster1)
		f := &muxFixture{ln: newPipeListener(), ca: ca, client: mustIssue(t, ca, node2)}
		f.mux = NewMux(&flakyListener{f.ln, 10}, ServerTLS(fixed(mustIssue(t, ca, node1)), at(epoch)), nil)
		raft := echo(f.mux.Raft())
		conn, err := f.dial(f.clientTLS(ALPNRaft))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(conn); string(got) != node2 {
			t.Errorf("read %q", got)
		}
		_ = conn.Close()
		_ = f.mux.Close()
		raft.Wait()
	})
}

func FuzzMuxFirstBytes(f *testing.F) {
	fx := newMuxFixture(f)
	f.Cleanup(func() { _ = fx.mux.Close() })
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x00})
	f.Add(recordHello(f, fx))
	f.Fuzz(func(t *testing.T, data []byte) {
		conn, err := fx.ln.dial()
		if err != nil {
			t.Fatal("the mux no longer accepts")
		}
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = io.Copy(io.Discard, conn) })
		_, _ = io.Copy(conn, bytes.NewReader(data))
		_ = conn.Close()
		wg.Wait()
		select {
		case <-fx.mux.raft.conns:
			t.Fatal("bytes that prove nothing reached raft")
		case <-fx.mux.http.conns:
			t.Fatal("bytes without a handshake reached HTTP")
		default:
		}
	})
}

// recordHello returns the first flight of a real client, as a seed.
func recordHello(t testing.TB, f *muxFixture) []byte {
	t.Helper()
	a, b := net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { _ = tls.Client(a, f.clientTLS(ALPNRaft)).Handshake() })
	buf := make([]byte, 4096)
	n, err := b.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	wg.Wait()
	_ = a.Close()
	return buf[:n]
}
