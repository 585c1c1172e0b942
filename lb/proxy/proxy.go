package proxy

import (
	"context"
	"hash/fnv"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
)

// Defaults of Config.
const (
	DefaultMaxConns = cluster.MaxConnections
	DefaultDrain    = 5 * time.Second
	DefaultIdle     = time.Minute
)

// DialFunc opens a connection to a backend. A connection that has CloseWrite
// passes half-closes on; one that is a *net.TCPConn is copied in the kernel.
type DialFunc func(ctx context.Context, addr netip.AddrPort) (net.Conn, error)

// Config of a Proxy. The zero value of every field is usable.
type Config struct {
	BindAddr string         // IP to listen on; "": all
	NodeID   cluster.NodeID // of this node
	Dial     DialFunc       // nil: TCP
	// Listen opens a published TCP port; nil, or one that returns neither a listener
	// nor an error: on the network.
	Listen func(network, address string) (net.Listener, error)
	// ListenUDP opens a published UDP port; nil, or one that returns nil: on the
	// network.
	ListenUDP func(address string) *net.UDPConn

	Logger   *slog.Logger  // nil: slog.Default
	MaxConns int           // open at once for each port; further clients wait to be accepted; 0: DefaultMaxConns
	MaxTotal int           // open at once on all ports; further clients are accepted and wait; 0: no such limit
	Drain    time.Duration // how long Close waits for open connections; 0: DefaultDrain
	Idle     time.Duration // how long a UDP client and its backend may be silent until the client is dealt out anew; 0: DefaultIdle
}

// serving is a table, and what the proxy remembers of the backends in it.
type serving struct {
	*lb.Table
	arrivals lb.Arrivals
}

// Proxy serves the ports of the newest table it was given.
type Proxy struct {
	cfg    Config
	log    *slog.Logger
	now    atomic.Pointer[serving]
	kernel atomic.Pointer[Kernel]
	health outliers
	stats  registry
	open   sessions
	slots  chan struct{} // as a port's, of all ports; nil without a limit

	wake chan struct{} // a newer table is there
	// ctx ends with the first step of Close: no listener, no new table.
	// cut ends with the second: no connection.
	ctx, cut       context.Context
	cancel, cutOff context.CancelFunc
	wg             sync.WaitGroup

	mu    sync.Mutex
	ports map[lb.Port]*port
}

// New starts a proxy without a table. Close ends it.
func New(cfg Config) *Proxy {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Dial == nil {
		cfg.Dial = dialTCP
	}
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = DefaultMaxConns
	}
	if cfg.Drain <= 0 {
		cfg.Drain = DefaultDrain
	}
	if cfg.Idle <= 0 {
		cfg.Idle = DefaultIdle
	}
	p := &Proxy{
		cfg:   cfg,
		log:   cfg.Logger,
		wake:  make(chan struct{}, 1),
		ports: map[lb.Port]*port{},
	}
	if cfg.MaxTotal > 0 {
		p.slots = make(chan struct{}, cfg.MaxTotal)
	}
	p.now.Store(&serving{Table: &lb.Table{}})
	p.kernel.Store(&Kernel{})
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.cut, p.cutOff = context.WithCancel(context.Background())
	p.wg.Go(p.run)
	return p
}

// Set replaces the table and never blocks; a table that is not newer than the
// current one is ignored. Connections accepted from now on use it; listeners
// follow at once in the background. Open connections stay, except those to
// nodes that the table calls down.
func (p *Proxy) Set(t *lb.Table) {
	for {
		cur := p.now.Load()
		if !t.Newer(cur.Table) {
			return
		}
		if p.now.CompareAndSwap(cur, &serving{t, cur.arrivals.Follow(t, time.Now())}) {
			break
		}
	}
	select {
	case p.wake <- struct{}{}:
	default: // a wake-up is pending; it will read this table
	}
}

// Close is Retire for as long as Config.Drain.
func (p *Proxy) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.Drain)
	defer cancel()
	p.Retire(ctx)
}

// Retire stops listening, lets open connections end until ctx does, resets the
// others and returns when nothing of the proxy is left.
func (p *Proxy) Retire(ctx context.Context) {
	p.cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.wg.Wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		p.cutOff()
		p.open.reset(func(*session) bool { return true })
		<-ended
	}
	p.cutOff() // releases the context
}

// Problems lists the ports that do not serve as they should, by port.
func (p *Proxy) Problems() []Problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Problem
	for _, l := range p.ports {
		if pr := l.problem.Load(); pr != nil {
			out = append(out, *pr)
		}
		if s := l.shedding.Load(); s != nil && s.lasts(time.Now()) {
			out = append(out, *s.problem)
		}
	}
	slices.SortStableFunc(out, func(a, b Problem) int { return int(a.Port.Number) - int(b.Port.Number) })
	return out
}

// Listener is an open port, to be handed to another process.
type Listener struct {
	Port   lb.Port
	Socket syscall.Conn // it may close at any time
}

// Listeners are the ports that are open now, but for those that Config.Listen
// opened as something else than a socket.
func (p *Proxy) Listeners() []Listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Listener
	for key, l := range p.ports {
		if ln := l.open.Load(); ln != nil {
			if socket, ok := (*ln).(syscall.Conn); ok {
				out = append(out, Listener{Port: key, Socket: socket})
			}
		}
	}
	return out
}

// Stats returns the counters of every service that had a connection, by service.
func (p *Proxy) Stats() []ServiceStats { return p.stats.snapshot() }

func (p *Proxy) run() {
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-p.wake:
			p.adopt(p.now.Load().Table)
		}
	}
}

// adopt brings everything but the picks, which read the table themselves, in
// line with the table.
func (p *Proxy) adopt(t *lb.Table) {
	p.closePorts(t)
	for i := range t.Frontends {
		p.openPort(&t.Frontends[i])
	}
	p.health.update(func(h lb.Health) lb.Health { return h.Keep(t) })
	p.stats.keep(t)
	if n := p.open.reset(func(s *session) bool { return p.dead(t, s.backend.Node) || s.left(t) }); n > 0 {
		p.log.Info("closed connections to nodes that are down, and UDP sessions of tasks that went", "connections", n)
	}
}

// dead reports whether connections to a node are over. This node is never dead
// to itself, whatever the cluster believes of it.
func (p *Proxy) dead(t *lb.Table, node cluster.NodeID) bool {
	return node != p.cfg.NodeID && t.IsDown(node)
}

func (p *Proxy) closePorts(t *lb.Table) {
	var gone []*port
	p.mu.Lock()
	for key, l := range p.ports {
		if _, ok := t.Frontend(key); !ok {
			delete(p.ports, key)
			gone = append(gone, l)
		}
	}
	p.mu.Unlock()
	for _, l := range gone {
		l.close()
	}
}

func (p *Proxy) openPort(f *lb.Frontend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.ports[f.Port]; ok {
		return
	}
	l := newPort(p, f.Port)
	p.ports[f.Port] = l
	p.wg.Go(l.run)
}

// firstTurn makes the nodes of a cluster begin their rounds at different backends.
func firstTurn(node cluster.NodeID, port lb.Port) uint64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(node)) // a hash never fails
	return uint64(h.Sum32()) + uint64(port.Number)
}
