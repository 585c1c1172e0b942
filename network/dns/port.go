package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// port is one gateway's, UDP and TCP. Only the server's own goroutine opens and
// closes it.
type port struct {
	server *Server
	at     netip.AddrPort

	wg     sync.WaitGroup
	cancel context.CancelFunc // nil: not open

	mu    sync.Mutex
	err   error     // why it is not open
	since time.Time // that it is not
}

// open opens what is not open, and keeps the reason where that fails.
func (p *port) open() {
	if p.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(p.server.ctx)
	packets, err := p.server.cfg.ListenPacket(ctx, p.at)
	if err != nil {
		cancel()
		p.failed(err)
		return
	}
	listener, err := p.server.cfg.Listen(ctx, p.at)
	if err != nil {
		cancel()
		_ = packets.Close()
		p.failed(err)
		return
	}
	p.failed(nil)
	p.cancel = cancel
	context.AfterFunc(ctx, func() {
		_ = packets.Close()
		_ = listener.Close()
	})
	p.wg.Go(func() { p.servePackets(ctx, packets) })
	p.wg.Go(func() { p.serveStreams(ctx, listener) })
}

func (p *port) close() {
	if p.cancel != nil {
		p.cancel()
		p.wg.Wait()
	}
}

func (p *port) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && p.err == nil {
		p.since = time.Now()
	}
	p.err = err
}

func (p *port) problem(now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil || now.Sub(p.since) < problemAfter {
		return ""
	}
	next := "it is tried again every second"
	if errors.Is(p.err, syscall.EADDRINUSE) {
		next = "stop the program that listens on port " + fmt.Sprint(p.at.Port()) + " of all addresses, or have it listen on the host's own alone"
	}
	return fmt.Sprintf("containers find no names at %s: %v; %s", p.at.Addr(), p.err, next)
}

// transient reports whether a socket may be read on after an error.
func transient(ctx context.Context, err error) bool {
	return ctx.Err() == nil && !errors.Is(err, net.ErrClosed)
}

// rest waits a moment after an error that may last, such as having no descriptors.
func rest(ctx context.Context) {
	t := time.NewTimer(100 * time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	var out netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		out = a.AddrPort()
	case *net.TCPAddr:
		out = a.AddrPort()
	}
	return netip.AddrPortFrom(out.Addr().Unmap(), out.Port())
}
