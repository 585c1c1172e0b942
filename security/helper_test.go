package security

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const (
	cluster1 = "01JCK0STERAAAAAAAAAAAAAAA1"
	cluster2 = "01JCK0STERAAAAAAAAAAAAAAA2"
	node1    = "01JN0DEAAAAAAAAAAAAAAAAAA1"
	node2    = "01JN0DEAAAAAAAAAAAAAAAAAA2"
	tokenID  = "01JT0KENAAAAAAAAAAAAAAAAA1"
)

var epoch = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustCA(t testing.TB, clusterID string) *CA {
	t.Helper()
	ca, err := NewCA(clusterID, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func mustIssue(t testing.TB, ca *CA, nodeID string) *Identity {
	t.Helper()
	id, err := ca.Issue(nodeID, epoch, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func fixed(id *Identity) func() *Identity { return func() *Identity { return id } }

func at(now time.Time) VerifyOptions {
	return VerifyOptions{Now: func() time.Time { return now }}
}

// handshake runs both ends over a pipe. In TLS 1.3 the client finishes first,
// so it also waits for the server's first byte.
func handshake(t *testing.T, server, client *tls.Config) (srv tls.ConnectionState, srvErr, cliErr error) {
	t.Helper()
	a, b := net.Pipe()
	sc, cc := tls.Server(a, server), tls.Client(b, client)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer a.Close()
		if srvErr = sc.HandshakeContext(context.Background()); srvErr == nil {
			srv = sc.ConnectionState()
			_, _ = sc.Write([]byte{1})
		}
	})
	wg.Go(func() {
		defer b.Close()
		if cliErr = cc.HandshakeContext(context.Background()); cliErr == nil {
			_, cliErr = cc.Read(make([]byte, 1))
		}
	})
	wg.Wait()
	return srv, srvErr, cliErr
}

// pipeListener is a net.Listener without a network, usable in a synctest bubble.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) dial() (net.Conn, error) {
	a, b := net.Pipe()
	select {
	case l.conns <- a:
		return b, nil
	case <-l.done:
		return nil, errors.New("refused")
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7070} }
