package proxy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"

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

// pick is what the choice of a client's backend goes by.
func (p *Proxy) pick(now *serving, client net.Conn, port lb.Port, turn uint64) lb.Pick {
	source := addressOf(client.RemoteAddr())
	return lb.Pick{
		Turn: turn, Seed: rand.Uint64(), Source: source, Node: p.cfg.NodeID,
		Elsewhere: p.kernel.Load().took(port, source, addressOf(client.LocalAddr())),
		Now:       time.Now(), Health: p.health.load(), Arrivals: now.arrivals, Open: p.open.count,
	}
}

// addressOf is a socket's address, the zero one where it has none.
func addressOf(socket net.Addr) netip.Addr {
	a, err := netip.ParseAddrPort(socket.String())
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr()
}

// attempt looks for a backend that takes a client's connection.
type attempt struct {
	p        *Proxy
	client   net.Conn
	frontend *lb.Frontend
	count    *counters
}

// connect opens a connection to the first backend that takes one. Nothing has
// been read from the client yet, so that trying the next one is safe. Backends
// on a host that was silent once come last. It returns nil when there is none.
func (a *attempt) connect(pick lb.Pick) *session {
	ctx, cancel := context.WithTimeout(a.p.cut, allDialsTimeout)
	defer cancel()
	var silent []cluster.NodeID
	var last []lb.Backend
	for b := range a.frontend.Order(pick) {
		if slices.Contains(silent, b.Node) {
			last = append(last, b)
			continue
		}
		s, err := a.try(ctx, b)
		if s != nil {
			return s
		}
		if isSilence(err) {
			silent = append(silent, b.Node)
		}
	}
	for _, b := range last {
		if s, _ := a.try(ctx, b); s != nil { // try has counted and logged the error
			return s
		}
	}
	return nil
}

// try opens a connection to one backend and lists the session.
func (a *attempt) try(ctx context.Context, b lb.Backend) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, atMost := a.p, remoteDialTimeout
	if b.Local(p.cfg.NodeID) {
		atMost = localDialTimeout
	}
	p.health.begin(b, atMost)
	dialCtx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	server, err := a.open(dialCtx, b)
	if err != nil {
		a.count.dialFailures.Add(1)
		if ctx.Err() == nil && !isOurs(err) {
			p.eject(b, err)
		}
		return nil, err
	}
	if !b.UDP {
		p.health.answered(b) // over UDP it has not, yet
	}
	s := &session{client: a.client, server: server, port: a.frontend.Port, backend: b}
	p.open.add(s)
	// Of a table that came while this was dialling, either its sweep sees
	// the session or the session sees the table.
	if p.cut.Err() != nil || p.dead(p.now.Load().Table, b.Node) || s.left(p.now.Load().Table) {
		p.open.remove(s)
		resetConn(server)
		return nil, net.ErrClosed
	}
	return s, nil
}

// open connects to a backend and tells it the client's address if it is to know.
func (a *attempt) open(ctx context.Context, b lb.Backend) (net.Conn, error) {
	if b.UDP {
		return new(net.Dialer).DialContext(ctx, "udp", b.Addr.String())
	}
	server, err := a.p.cfg.Dial(ctx, b.Addr)
	if err != nil || a.frontend.Balance.ProxyProtocol != cluster.ProxyProtocolV2 {
		return server, err
	}
	head := proxyproto.HeaderProxyFromAddrs(2, a.client.RemoteAddr(), a.client.LocalAddr())
	if _, err := head.WriteTo(server); err != nil {
		resetConn(server)
		return nil, fmt.Errorf("send the PROXY header: %w", err)
	}
	return server, nil
}

// eject has others preferred to a backend that did not answer.
func (p *Proxy) eject(b lb.Backend, err error) {
	if p.health.fail(b) {
		p.log.Info("backend does not answer, others are preferred for a while",
			"task", b.Task, "node", b.Node, "address", b.Addr, "error", err)
	}
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
