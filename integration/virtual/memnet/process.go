package memnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// UserTimeout is how long data of a connection that a process dialled may stay
// unacknowledged before the connection breaks (TCP_USER_TIMEOUT, RFC 5482).
const UserTimeout = 1500 * time.Millisecond

// Process is one program on a host: what a kernel closes when it ends.
type Process struct {
	host *Host
	done chan struct{}
	once sync.Once

	mu    sync.Mutex
	conns map[*conn]struct{}
}

// Process starts a program on a host that is up.
func (h *Host) Process() *Process {
	p := &Process{host: h, done: make(chan struct{}), conns: map[*conn]struct{}{}}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if !h.up {
		panic("memnet: a program is started on host " + h.ip + ", which is dead")
	}
	h.processes = append(h.processes, p)
	return p
}

// Kill ends the program as SIGKILL does: the host closes its connections and
// refuses new ones. The program's own code goes on and finds all of them closed.
func (p *Process) Kill() { p.end(func(c *conn) { _ = c.Close() }) }

// end closes what the program has, connections each in the given way.
func (p *Process) end(shut func(*conn)) {
	p.once.Do(func() { close(p.done) })
	p.mu.Lock()
	open := p.conns
	p.conns = nil
	p.mu.Unlock()
	for c := range open {
		shut(c)
	}
	p.host.net.mu.Lock()
	var mine []*listener
	for _, l := range p.host.listeners {
		if l.process == p {
			mine = append(mine, l)
		}
	}
	p.host.net.mu.Unlock()
	for _, l := range mine {
		_ = l.Close()
	}
}

// own notes a connection; one of a program that ended is closed.
func (p *Process) own(c *conn) {
	p.mu.Lock()
	ended := p.conns == nil
	if !ended {
		p.conns[c] = struct{}{}
	}
	p.mu.Unlock()
	if ended {
		_ = c.Close()
	}
}

func (p *Process) disown(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Listen opens a listener: "tcp" on a port (":7070"), or "unix" on a path that
// means something on this host only.
func (p *Process) Listen(network, address string) (net.Listener, error) {
	key := address
	var addr net.Addr = &net.UnixAddr{Name: address, Net: "unix"}
	if network == "tcp" {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, &net.OpError{Op: "listen", Net: network, Err: err}
		}
		key, addr = port, tcpAddr(p.host.IP(), port)
	}
	l := &listener{process: p, key: key, addr: addr, backlog: make(chan *conn, 128), done: make(chan struct{})}
	p.host.net.mu.Lock()
	defer p.host.net.mu.Unlock()
	if p.ended() || !p.host.up {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: net.ErrClosed}
	}
	if p.host.listeners[key] != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	p.host.listeners[key] = l
	return l, nil
}

// Dial opens a connection. It ends with ctx, and at the latest when a kernel
// would give up.
func (p *Process) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var c *conn
	var err error
	if network == "unix" {
		c, err = p.connectLocal(address)
	} else {
		c, err = p.connect(ctx, address)
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: named{network, address}, Err: err}
	}
	return c, nil
}

func (p *Process) connectLocal(path string) (*conn, error) {
	p.host.net.mu.Lock()
	l := p.host.listeners[path]
	p.host.net.mu.Unlock()
	if l == nil {
		return nil, os.NewSyscallError("connect", syscall.ENOENT)
	}
	near, far := newPair(p, l.process, named{"unix", "@"}, named{"unix", path}, 0)
	if !l.offer(far) {
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	return near, nil
}

// connect asks the host again and again until it answers.
func (p *Process) connect(ctx context.Context, address string) (*conn, error) {
	to, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(to); err != nil {
		return nil, fmt.Errorf("this network has no names: %w", err)
	}
	for pause := resyn; ; pause *= 2 {
		if err := p.sleep(ctx, Latency); err != nil {
			return nil, err
		}
		from := p.host.IP()
		if l, alive := p.host.net.listening(from, to, port); alive {
			var near, far *conn
			if l != nil {
				near, far = newPair(p, l.process, tcpAddr(from, fmt.Sprint(p.host.net.ephemeral())), tcpAddr(to, port), UserTimeout)
			}
			accepted := l != nil && l.offer(far)
			if err := p.sleep(ctx, Latency); err != nil || !accepted {
				if near != nil {
					_ = near.Close()
				}
				return nil, errors.Join(err, refusedUnless(accepted))
			}
			return near, nil
		}
		if err := p.sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

func refusedUnless(accepted bool) error {
	if accepted {
		return nil
	}
	return os.NewSyscallError("connect", syscall.ECONNREFUSED)
}

// sleep waits, unless the program or ctx ends before.
func (p *Process) sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-p.done:
		return net.ErrClosed
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return os.ErrDeadlineExceeded
		}
		return ctx.Err()
	}
}

// listener is a socket that accepts.
type listener struct {
	process *Process
	key     string
	addr    net.Addr
	backlog chan *conn
	done    chan struct{}
	once    sync.Once
}

// offer queues a connection; false when nobody will take it.
func (l *listener) offer(c *conn) bool {
	select {
	case <-l.done:
		_ = c.Close()
		return false
	default:
	}
	select {
	case l.backlog <- c:
		return true
	default:
		_ = c.Close()
		return false
	}
}

// Accept waits for the next connection.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
	default:
		select {
		case c := <-l.backlog:
			return c, nil
		case <-l.done:
		}
	}
	return nil, &net.OpError{Op: "accept", Net: l.addr.Network(), Addr: l.addr, Err: net.ErrClosed}
}

// Close stops listening and resets what nobody accepted.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.process.host.net.mu.Lock()
		delete(l.process.host.listeners, l.key)
		l.process.host.net.mu.Unlock()
		close(l.done)
		for {
			select {
			case c := <-l.backlog:
				_ = c.Close()
			default:
				return
			}
		}
	})
	return nil
}

// Addr is where the listener is.
func (l *listener) Addr() net.Addr { return l.addr }

type named struct{ network, address string }

func (n named) Network() string { return n.network }
func (n named) String() string  { return n.address }

func tcpAddr(ip, port string) net.Addr {
	ap, err := netip.ParseAddrPort(net.JoinHostPort(ip, port))
	if err != nil {
		return named{"tcp", net.JoinHostPort(ip, port)}
	}
	return net.TCPAddrFromAddrPort(ap)
}
