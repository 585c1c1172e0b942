package security

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/musterhq/muster/crowd"
)

const (
	// handshakeTimeout bounds a connection from accept until a server took it.
	handshakeTimeout = 5 * time.Second
	// maxHandshakes bounds the connections within that time. A handshake
	// takes milliseconds, so a legitimate burst stays far below.
	maxHandshakes = 512

	acceptRetryMin = 5 * time.Millisecond
	acceptRetryMax = time.Second
)

// Mux splits one TLS port by the negotiated protocol.
//
//	net.Listener -> accept -> handshake (one goroutine each) -+-> Raft()
//	                                                          +-> HTTP()
//
// Accepting never waits for a client. When too many handshakes are under way
// the oldest is closed: an honest one would have been over.
type Mux struct {
	base net.Listener
	cfg  *tls.Config
	log  *slog.Logger
	http *muxListener

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	// pending are being served; when one is closed its goroutine sees the error.
	pending *crowd.Crowd[net.Conn]

	mu   sync.Mutex
	raft *muxListener // the newest one
}

// NewMux starts to accept from base, which it owns from then on. cfg is that
// of [ServerTLS]. log may be nil.
func NewMux(base net.Listener, cfg *tls.Config, log *slog.Logger) *Mux {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m := &Mux{
		base: base, cfg: cfg, log: log,
		raft:    newMuxListener(base.Addr()),
		http:    newMuxListener(base.Addr()),
		pending: crowd.New(maxHandshakes, func(c net.Conn) { _ = c.Close() }),
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.wg.Go(m.accept)
	return m
}

// Raft yields connections that negotiated raft, handshake complete; [ConnPeer]
// names the verified node. Closing it refuses raft until Raft is called again:
// a node can cease to be a voter and become one once more.
func (m *Mux) Raft() net.Listener {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.raft.closed() && m.ctx.Err() == nil {
		m.raft = newMuxListener(m.base.Addr())
	}
	return m.raft
}

func (m *Mux) closeRaft() {
	m.mu.Lock()
	defer m.mu.Unlock()
	_ = m.raft.Close()
}

// of is the listener for connections that negotiated the protocol.
func (m *Mux) of(protocol string) *muxListener {
	m.mu.Lock()
	defer m.mu.Unlock()
	if protocol == ALPNRaft {
		return m.raft
	}
	return m.http
}

// HTTP yields all others, handshake complete, as *tls.Conn, which is what
// net/http needs to choose HTTP/2. The client may have sent no certificate.
func (m *Mux) HTTP() net.Listener { return m.http }

// Close stops accepting, closes both listeners and every connection that no
// server has taken, and waits for the goroutines.
func (m *Mux) Close() error {
	m.cancel()
	err := m.base.Close()
	m.closeRaft()
	_ = m.http.Close()
	for _, conn := range m.pending.All() {
		_ = conn.Close()
	}
	m.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (m *Mux) accept() {
	retry := acceptRetryMin
	for {
		conn, err := m.base.Accept()
		if err == nil {
			retry = acceptRetryMin
			m.pending.Enter(conn)
			m.wg.Go(func() {
				defer m.pending.Leave(conn)
				m.serve(conn)
			})
			continue
		}
		if m.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			m.closeRaft()
			_ = m.http.Close()
			return
		}
		// Mostly a shortage of descriptors, which passes.
		m.log.Warn("cannot accept a connection, trying again", "error", err, "after", retry)
		select {
		case <-m.ctx.Done():
		case <-time.After(retry):
		}
		retry = min(2*retry, acceptRetryMax)
	}
}

// serve hands conn to a server or closes it, within handshakeTimeout.
func (m *Mux) serve(raw net.Conn) {
	ctx, cancel := context.WithTimeout(m.ctx, handshakeTimeout)
	defer cancel()
	conn := tls.Server(raw, m.cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		m.log.Debug("TLS handshake failed", "remote", raw.RemoteAddr(), "error", err)
		_ = raw.Close()
		return
	}
	if !m.of(conn.ConnectionState().NegotiatedProtocol).deliver(ctx, conn) {
		_ = raw.Close()
	}
}

// ConnPeer returns the verified node at the other end of a connection that
// came from a [Mux] or was dialled with [ClientTLS], and has shaken hands.
func ConnPeer(conn net.Conn) (Peer, bool) {
	tc, ok := conn.(*tls.Conn)
	if !ok {
		return Peer{}, false
	}
	return PeerOf(tc.ConnectionState())
}

// muxListener is one protocol's end of a Mux. Closing it refuses that
// protocol only.
type muxListener struct {
	addr  net.Addr
	conns chan net.Conn // unbuffered: a connection is never left in it
	done  chan struct{}
	once  sync.Once
}

func newMuxListener(addr net.Addr) *muxListener {
	return &muxListener{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *muxListener) deliver(ctx context.Context, conn net.Conn) bool {
	select {
	case l.conns <- conn:
		return true
	case <-l.done:
	case <-ctx.Done():
	}
	return false
}

func (l *muxListener) Accept() (net.Conn, error) {
	if l.closed() {
		return nil, net.ErrClosed
	}
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *muxListener) closed() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

func (l *muxListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *muxListener) Addr() net.Addr { return l.addr }
