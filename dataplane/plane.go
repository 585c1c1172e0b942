package dataplane

import (
	"context"
	"log/slog"
	"net"
	"os"
	"sync"

	"github.com/musterhq/muster/lb"
	"github.com/musterhq/muster/lb/proxy"
)

// PlaneConfig is how a Plane serves. The zero value of every field is usable.
type PlaneConfig struct {
	// Listen and ListenUDP are as a proxy's.
	Listen    func(network, address string) (net.Listener, error)
	ListenUDP func(address string) *net.UDPConn
	// MaxTotal is how many connections are open at once on all ports; 0: no limit.
	MaxTotal int
	// Networks is the host's part in the networks across hosts; nil: it has none,
	// and ports alone are served. The plane closes it.
	Networks Networks
	Logger   *slog.Logger // nil: slog.Default
}

// Plane serves the newest table that it was given.
type Plane struct {
	cfg PlaneConfig

	mu     sync.Mutex
	table  Table        // zero before the first
	proxy  *proxy.Proxy // nil before the first table
	closed bool         // no table is served any more

	closing sync.Once // of the networks
}

// NewPlane serves nothing until it has a table. Close ends it.
func NewPlane(cfg PlaneConfig) *Plane {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Plane{cfg: cfg}
}

// Set serves a table from now on, if it is newer than the one before.
func (p *Plane) Set(t Table) { p.set(t) }

// set reports whether the table is served.
func (p *Plane) set(t Table) bool {
	built := lb.Build(t.Input.Through(t.Node))
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed: // it came while the host was stopping
		return false
	case p.proxy == nil:
	case !t.sameHost(&p.table):
		p.proxy.Close()
		p.proxy = nil
	case !built.Newer(lb.Position(p.table.Input)):
		return false
	}
	if p.proxy == nil {
		p.proxy = proxy.New(proxy.Config{
			NodeID: t.Node, Listen: p.cfg.Listen, ListenUDP: p.cfg.ListenUDP, MaxTotal: p.cfg.MaxTotal, Logger: p.cfg.Logger,
		})
	}
	p.table = t
	p.proxy.Set(built)
	if p.cfg.Networks != nil {
		table := p.table
		p.proxy.SetKernel(p.cfg.Networks.Set(&table, built))
	}
	return true
}

// Clear serves nothing until there is another table: the host has left its cluster.
func (p *Plane) Clear() {
	p.end(false, (*proxy.Proxy).Close)
	if p.cfg.Networks != nil {
		p.cfg.Networks.Set(&Table{}, lb.Build(lb.Input{}))
	}
}

// Close serves nothing any more, whatever is set. What the kernel does stays.
func (p *Plane) Close() {
	p.end(true, (*proxy.Proxy).Close)
	p.closeNetworks()
}

func (p *Plane) closeNetworks() { p.endNetworks(false) }

func (p *Plane) endNetworks(remove bool) {
	if p.cfg.Networks != nil {
		p.closing.Do(func() { p.cfg.Networks.Close(remove) })
	}
}

// tend has the networks follow what changes besides tables.
func (p *Plane) tend() {
	if p.cfg.Networks == nil {
		return
	}
	k, news := p.cfg.Networks.Tend()
	if x := p.current(); news && x != nil {
		x.SetKernel(k)
	}
}

// retire takes no new connections, and returns when those that are open have
// ended, or ctx has.
func (p *Plane) retire(ctx context.Context) {
	p.closeNetworks()
	p.end(true, func(x *proxy.Proxy) { x.Retire(ctx) })
}

func (p *Plane) end(forGood bool, how func(*proxy.Proxy)) {
	p.mu.Lock()
	old := p.proxy
	p.proxy, p.table, p.closed = nil, Table{}, p.closed || forGood
	p.mu.Unlock()
	if old != nil {
		how(old)
	}
}

// Problems says what is not served as it should be.
func (p *Plane) Problems() []string {
	var out []string
	if x := p.current(); x != nil {
		for _, pr := range x.Problems() {
			out = append(out, pr.Message)
		}
	}
	if p.cfg.Networks != nil {
		out = append(out, p.cfg.Networks.Problems()...)
	}
	return out
}

// Stats counts the traffic, by service.
func (p *Plane) Stats() []proxy.ServiceStats {
	if x := p.current(); x != nil {
		return x.Stats()
	}
	return nil
}

// Served is the state of which the table is that is served; ok is always true.
func (p *Plane) Served() (epoch, index uint64, ok bool) {
	t := p.served()
	return t.Input.Epoch, t.Input.Index, true
}

func (p *Plane) current() *proxy.Proxy {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.proxy
}

// handover gives the TUN device away, if there is one; resume goes on with it.
func (p *Plane) handover() (*os.File, error) {
	if p.cfg.Networks == nil {
		return nil, nil
	}
	return p.cfg.Networks.Handover()
}

func (p *Plane) resume() {
	if p.cfg.Networks != nil {
		p.cfg.Networks.Resume()
	}
}

// snapshot is the table that is served, and the listeners that serve it.
func (p *Plane) snapshot() (Table, []proxy.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proxy == nil {
		return Table{}, nil
	}
	return p.table, p.proxy.Listeners()
}

// served is the table that is served.
func (p *Plane) served() Table {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.table
}
