package dns

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/network"
)

// Config of a Server. The zero value of every field is usable.
type Config struct {
	Port uint16 // to listen on; 0: 53
	// Listen and ListenPacket open a port of a gateway; nil: of the host, also while
	// it does not have the address yet.
	Listen       func(ctx context.Context, at netip.AddrPort) (net.Listener, error)
	ListenPacket func(ctx context.Context, at netip.AddrPort) (net.PacketConn, error)
	// Upstreams are asked for the names that are not ours, one after the other; nil:
	// those that the host asks, by ResolvConf.
	Upstreams  func() []netip.AddrPort
	ResolvConf string        // "": /etc/resolv.conf
	Timeout    time.Duration // how long an upstream has; 0: 2 s
	// OwnAddress reports whether an address is one of this host; nil: it asks the
	// kernel.
	OwnAddress func(netip.Addr) bool
	Logger     *slog.Logger // nil: slog.Default
}

// Defaults and intervals.
const (
	defaultPort    = 53
	defaultTimeout = 2 * time.Second
	// retryEvery is how often a port is tried that could not be opened, and
	// problemAfter how long that may last before people are told.
	retryEvery   = time.Second
	problemAfter = 5 * time.Second
)

// Server answers on the gateways that it was given last.
type Server struct {
	cfg   Config
	log   *slog.Logger
	zone  atomic.Pointer[network.Zone]
	stats counters
	responder
	limits clients

	wake   chan struct{} // there are other gateways
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	gateways []netip.Addr
	ports    map[netip.Addr]*port
}

// New starts a server that listens nowhere. Close ends it.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg.withDefaults(), wake: make(chan struct{}, 1), ports: map[netip.Addr]*port{}}
	s.log = s.cfg.Logger
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.responder = responder{zone: &s.zone, stats: &s.stats, forward: newForwarder(s.cfg, &s.zone)}
	s.zone.Store(&network.Zone{})
	s.wg.Go(s.run)
	return s
}

func (c Config) withDefaults() Config {
	if c.Port == 0 {
		c.Port = defaultPort
	}
	if c.Listen == nil {
		c.Listen = listen
	}
	if c.ListenPacket == nil {
		c.ListenPacket = listenPacket
	}
	if c.ResolvConf == "" {
		c.ResolvConf = "/etc/resolv.conf"
	}
	if c.Upstreams == nil {
		c.Upstreams = (&resolvConf{path: c.ResolvConf}).servers
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.OwnAddress == nil {
		c.OwnAddress = (&ownAddresses{}).has
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Set has the zone answer from now on, on these gateways. It never blocks.
func (s *Server) Set(zone *network.Zone, gateways []netip.Addr) {
	s.zone.Store(zone)
	s.mu.Lock()
	s.gateways = slices.Clone(gateways)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default: // a wake-up is pending; it will read these gateways
	}
}

// Close listens no more, and returns when nothing of the server is left.
func (s *Server) Close() {
	s.cancel()
	s.wg.Wait()
}

// Problems says for people which gateways have not been answering for some seconds.
func (s *Server) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, p := range s.ports {
		if text := p.problem(time.Now()); text != "" {
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return out
}

// Stats counts what came since the server began.
func (s *Server) Stats() Stats { return s.stats.snapshot() }

func (s *Server) run() {
	retry := time.NewTicker(retryEvery)
	defer retry.Stop()
	for {
		s.adopt()
		select {
		case <-s.ctx.Done():
			s.mu.Lock()
			s.gateways = nil
			s.mu.Unlock()
			s.adopt()
			return
		case <-s.wake:
		case <-retry.C:
		}
	}
}

// adopt closes the ports of gateways that went, and opens those that are not open.
func (s *Server) adopt() {
	s.mu.Lock()
	wanted := s.gateways
	var gone []*port
	for at, p := range s.ports {
		if !slices.Contains(wanted, at) {
			delete(s.ports, at)
			gone = append(gone, p)
		}
	}
	for _, at := range wanted {
		if s.ports[at] == nil {
			s.ports[at] = &port{server: s, at: netip.AddrPortFrom(at, s.cfg.Port)}
		}
	}
	ports := make([]*port, 0, len(s.ports))
	for _, p := range s.ports {
		ports = append(ports, p)
	}
	s.mu.Unlock()
	for _, p := range gone {
		p.close()
	}
	for _, p := range ports {
		p.open()
	}
}

// welcome reports whether a client is answered at all: a container, or this host.
func (s *Server) welcome(from netip.Addr) bool {
	return from.IsLoopback() || s.zone.Load().Inside(from) || s.cfg.OwnAddress(from)
}
