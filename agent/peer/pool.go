package peer

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/security"
)

// Timeouts of a connection to another node.
const (
	dialTimeout = time.Second
	// userTimeout is how long sent data may stay unacknowledged before the
	// kernel breaks the connection (RFC 5482).
	userTimeout = 1500 * time.Millisecond
	pingAfter   = time.Second
	pingTimeout = time.Second
	// idleTimeout is how long a connection without a call is kept, and pinged.
	idleTimeout = 30 * time.Second
)

// ErrNoAddress means that the directory does not know the node.
var ErrNoAddress = errors.New("the node's address is not known")

// Class keeps bulk transfers from delaying control calls.
type Class int

// Classes of connections.
const (
	Control Class = iota
	Bulk
	// Beat is for what a node says all the time, one call after the other: see
	// ServeBeats. An older version answers it as HTTP/1.1.
	Beat
	classes = iota
)

// Directory says where a node may be: one address, as a rule. There are more
// when it moved and the news of that has not come in by every way.
type Directory interface {
	Addresses(id cluster.NodeID) (hostPorts []string)
}

// Dialer makes the underlying connections; tests and the virtual ring replace it.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Pool holds the connections to other nodes. It is safe for concurrent use.
type Pool struct {
	// Stranger, if set before the first call, is told who answers at a node's
	// address and is not that node, once for each address.
	Stranger func(node cluster.NodeID, address string, err error)
	// Own, if set before the first call, answers control calls to this node itself.
	Own http.Handler

	identity func() *security.Identity
	verify   security.VerifyOptions
	dir      Directory
	dial     Dialer
	maxReply int64

	mu        sync.Mutex
	conns     map[key]transport
	strangers map[cluster.NodeID]string // the address where one was met

	open openConns
}

// transport carries the calls of a class to a node.
type transport interface {
	http.RoundTripper
	CloseIdleConnections()
}

type key struct {
	node  cluster.NodeID
	class Class
}

// New makes a pool. dial may be nil.
func New(identity func() *security.Identity, verify security.VerifyOptions, dir Directory, dial Dialer) *Pool {
	if dial == nil {
		d := &net.Dialer{Timeout: dialTimeout, Control: setUserTimeout}
		dial = d.DialContext
	}
	return &Pool{identity: identity, verify: verify, dir: dir, dial: dial, maxReply: maxReply, conns: map[key]transport{}, strangers: map[cluster.NodeID]string{}}
}

func setUserTimeout(_, _ string, c syscall.RawConn) error {
	var err error
	ctrl := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
	})
	return errors.Join(ctrl, err)
}

// Transport carries HTTP requests to one node, whatever their URL's host is.
func (p *Pool) Transport(node cluster.NodeID, class Class) http.RoundTripper {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := key{node, class}
	if t, ok := p.conns[k]; ok {
		return t
	}
	t := p.newTransport(node, class)
	p.conns[k] = t
	return t
}

func (p *Pool) newTransport(node cluster.NodeID, class Class) transport {
	if class == Beat {
		return &beats{max: p.maxReply, dial: func(ctx context.Context) (net.Conn, error) {
			return p.DialTLS(ctx, node, security.ALPNBeat, security.ALPNHTTP1)
		}}
	}
	return &http.Transport{
		ForceAttemptHTTP2: true, IdleConnTimeout: idleTimeout,
		HTTP2:          &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return p.DialTLS(ctx, node) },
	}
}

// met notes who answered at a node's address: the node itself, if err is nil.
func (p *Pool) met(node cluster.NodeID, addr string, err error) {
	stranger := false
	for _, kind := range []error{security.ErrForeignCA, security.ErrForeignCluster, security.ErrNotNode, security.ErrWrongNode} {
		stranger = stranger || errors.Is(err, kind)
	}
	p.mu.Lock()
	before := p.strangers[node]
	if stranger {
		p.strangers[node] = addr
	} else if err == nil {
		delete(p.strangers, node)
	}
	p.mu.Unlock()
	if stranger && before != addr && p.Stranger != nil {
		p.Stranger(node, addr, err)
	}
}

// Drop closes the idle connections to a node, so that the next call dials anew.
func (p *Pool) Drop(node cluster.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for class := range Class(classes) {
		if t, ok := p.conns[key{node, class}]; ok {
			t.CloseIdleConnections()
			delete(p.conns, key{node, class})
		}
	}
}

// Cut breaks every connection to a node, whatever is under way on it: the node
// was removed, and what it goes on to say is not to be believed.
func (p *Pool) Cut(node cluster.NodeID) {
	p.Drop(node)
	for _, c := range p.open.to(node) {
		_ = c.Close()
	}
}

// Redial makes calls from now on use new connections, which prove the present
// identity. Those that are under way end on the old ones.
func (p *Pool) Redial() { p.Close() }

// Close closes idle connections; calls in flight end with their contexts.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, t := range p.conns {
		t.CloseIdleConnections()
		delete(p.conns, k)
	}
}
