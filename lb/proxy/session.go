package proxy

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
)

// How long a connection may take to open: one attempt on another host, one on
// this host, and all attempts for one client. They are short because another
// backend is tried next: a packet lost on the way costs half a second, and so
// does each host that has died and is not known to have.
const (
	remoteDialTimeout = 500 * time.Millisecond
	localDialTimeout  = 300 * time.Millisecond
	allDialsTimeout   = 5 * time.Second
)

// session is a client's connection joined to a backend's.
type session struct {
	client  net.Conn
	server  net.Conn
	backend lb.Backend
}

// reset ends both connections at once; neither side can take it for a regular end.
func (s *session) reset() {
	resetConn(s.client)
	resetConn(s.server)
}

func resetConn(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // fails on a closed connection only
	}
	_ = c.Close() // nothing is to be delivered
}

// sessions is the set of those that are open.
type sessions struct {
	mu  sync.Mutex
	all map[*session]struct{}
}

func (o *sessions) add(s *session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all == nil {
		o.all = map[*session]struct{}{}
	}
	o.all[s] = struct{}{}
}

func (o *sessions) remove(s *session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.all, s)
}

// reset ends the sessions that match and returns their number.
func (o *sessions) reset(match func(*session) bool) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for s := range o.all {
		if match(s) {
			s.reset()
			n++
		}
	}
	return n
}

// serve carries one client's connection from its acceptance to its end.
func (p *Proxy) serve(client net.Conn, key lb.Port, turn uint64) {
	f, ok := p.table.Load().Frontend(key)
	if !ok { // the port left the table a moment ago
		resetConn(client)
		return
	}
	count := p.stats.of(f.Service)
	count.connections.Add(1)
	count.active.Add(1)
	defer count.active.Add(-1)

	s := p.connect(client, f, turn, count)
	if s == nil {
		count.unserved.Add(1)
		resetConn(client)
		return
	}
	defer p.open.remove(s)
	join(s, count)
}

// connect opens a connection to the first backend that takes one. Nothing has
// been read from the client yet, so that trying the next one is safe. Backends
// on a host that was silent once come last. It returns nil when there is none.
func (p *Proxy) connect(client net.Conn, f *lb.Frontend, turn uint64, count *counters) *session {
	ctx, cancel := context.WithTimeout(p.cut, allDialsTimeout)
	defer cancel()
	var silent []cluster.NodeID
	var last []lb.Backend
	for b := range f.Order(turn, p.health.load(), time.Now()) {
		if slices.Contains(silent, b.Node) {
			last = append(last, b)
			continue
		}
		s, err := p.try(ctx, client, b, count)
		if s != nil {
			return s
		}
		if isSilence(err) {
			silent = append(silent, b.Node)
		}
	}
	for _, b := range last {
		if s, _ := p.try(ctx, client, b, count); s != nil { // try has counted and logged the error
			return s
		}
	}
	return nil
}

// try opens a connection to one backend and lists the session.
func (p *Proxy) try(ctx context.Context, client net.Conn, b lb.Backend, count *counters) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	atMost := remoteDialTimeout
	if b.Local(p.cfg.NodeID) {
		atMost = localDialTimeout
	}
	p.health.begin(b, atMost)
	dialCtx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	server, err := p.cfg.Dial(dialCtx, b.Addr)
	if err != nil {
		count.dialFailures.Add(1)
		if ctx.Err() == nil && !isOurs(err) && p.health.fail(b) {
			p.log.Info("backend does not answer, others are preferred for a while",
				"task", b.Task, "node", b.Node, "address", b.Addr, "error", err)
		}
		return nil, err
	}
	p.health.answered(b)
	s := &session{client: client, server: server, backend: b}
	p.open.add(s)
	// Of a table that came while this was dialling, either its sweep sees
	// the session or the session sees the table.
	if p.cut.Err() != nil || p.dead(p.table.Load(), b.Node) {
		p.open.remove(s)
		resetConn(server)
		return nil, net.ErrClosed
	}
	return s, nil
}

// isSilence reports whether the whole host may be gone, in contrast to a host
// that refuses the connection.
func isSilence(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, syscall.EHOSTUNREACH)
}

// isOurs reports whether a connection failed for want of something on this
// host, which says nothing of the backend.
func isOurs(err error) bool {
	for _, e := range []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL, syscall.ENETUNREACH, syscall.ENETDOWN,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
