package peer

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/security"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network carries the connections of a test in memory, so that it can run in a
// synctest bubble.
type network struct {
	t  *testing.T
	ca *security.CA

	mu     sync.Mutex
	where  map[cluster.NodeID][]string // the directory
	hosts  map[string]*pipeListener    // who listens at an address
	silent map[string]bool             // addresses of hosts that answer nothing
	dials  map[string]int              // by address
	links  []*link
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	ca, err := security.NewCA(ulid.Make().String(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &network{
		t: t, ca: ca, where: map[cluster.NodeID][]string{}, hosts: map[string]*pipeListener{},
		silent: map[string]bool{}, dials: map[string]int{},
	}
}

// Addresses implements Directory.
func (n *network) Addresses(id cluster.NodeID) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.where[id]
}

func (n *network) move(id cluster.NodeID, addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.where[id] = addresses
}

func (n *network) dialled(address string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials[address]
}

// dial is the Dialer of all pools.
func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dials[address]++
	l, silent := n.hosts[address], n.silent[address]
	n.mu.Unlock()
	switch {
	case silent:
		<-ctx.Done()
		return nil, ctx.Err()
	case l == nil:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	here, there := net.Pipe()
	select {
	case l.conns <- there:
	case <-l.done:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c := &link{Conn: here}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links = append(n.links, c)
	return c, nil
}

// cut makes all open connections lose what is sent on them.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.links {
		c.mu.Lock()
		c.lost = true
		c.mu.Unlock()
	}
}

// link is the end of a connection of who dialled.
type link struct {
	net.Conn
	mu   sync.Mutex
	lost bool
}

func (c *link) Write(b []byte) (int, error) {
	c.mu.Lock()
	lost := c.lost
	c.mu.Unlock()
	if lost {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// pipeListener hands out the other ends of pipes.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (*pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7070} }

// listen makes an address accept connections.
func (n *network) listen(address string) *pipeListener {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[address] = l
	return l
}

// identity makes a node of the cluster.
func (n *network) identity() (cluster.NodeID, func() *security.Identity) {
	n.t.Helper()
	id, err := n.ca.Issue(ulid.Make().String(), time.Now(), time.Hour)
	if err != nil {
		n.t.Fatal(err)
	}
	return cluster.NodeID(id.NodeID), func() *security.Identity { return id }
}

// serve runs a new node's API at an address, and enters it in the directory.
func (n *network) serve(address string, handler http.HandlerFunc) (id cluster.NodeID, stop func()) {
	n.t.Helper()
	id, identity := n.identity()
	return id, n.serveAs(id, identity, address, handler)
}

func (n *network) serveAs(id cluster.NodeID, identity func() *security.Identity, address string, handler http.HandlerFunc) (stop func()) {
	n.t.Helper()
	return n.serveWith(id, security.ServerTLS(identity, security.VerifyOptions{}), address, handler)
}

func (n *network) serveWith(id cluster.NodeID, cfg *tls.Config, address string, handler http.HandlerFunc) (stop func()) {
	n.t.Helper()
	mux := security.NewMux(n.listen(address), cfg, nil)
	srv := &http.Server{
		Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), Protocols: new(http.Protocols),
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){security.ALPNBeat: ServeBeats},
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true)
	var job sync.WaitGroup
	job.Go(func() { _ = srv.Serve(mux.HTTP()) })
	stop = sync.OnceFunc(func() {
		n.mu.Lock()
		delete(n.hosts, address)
		n.mu.Unlock()
		_ = srv.Close()
		_ = mux.Close()
		job.Wait()
	})
	n.t.Cleanup(stop)
	n.move(id, address)
	return stop
}

// pool is a node that calls others.
func (n *network) pool() *Pool {
	n.t.Helper()
	_, identity := n.identity()
	p := New(identity, security.VerifyOptions{}, n, n.dial)
	n.t.Cleanup(p.Close)
	return p
}
