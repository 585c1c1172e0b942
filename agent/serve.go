package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/musterhq/muster/agent/peer"
	"github.com/musterhq/muster/crowd"
	"github.com/musterhq/muster/security"
)

// Bounds of what a client can hold.
const (
	maxGuests      = 256              // connections without a certificate, and to the local socket
	maxHeader      = 64 << 10         // bytes
	stuckAfter     = 30 * time.Second // of writing to a connection that takes nothing
	headerPatience = 5 * time.Second  // with a request's first lines
	guestLife      = 90 * time.Second // of a connection without a certificate: longer than any call
)

// serve runs an HTTP server on l; stop ends it and waits. Streams and taken-over
// connections, which would go on for ever, end with the calls' base context;
// a write that it cuts short is safe to repeat.
func (a *Agent) serve(l net.Listener, h http.Handler) (stop func()) {
	guests := newGuests(maxGuests, guestLife, l.Addr().Network() == "unix")
	base, cancel := context.WithCancel(context.Background())
	srv := &http.Server{
		BaseContext: func(net.Listener) context.Context { return base },
		Handler:     h, ReadHeaderTimeout: headerPatience, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: maxHeader, HTTP2: &http.HTTP2Config{WriteByteTimeout: stuckAfter}, ConnState: guests.note,
		ErrorLog:     slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){security.ALPNBeat: peer.ServeBeats},
		Protocols:    new(http.Protocols),
	}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetHTTP2(true) // which a protocol of our own would else turn off
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := srv.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			a.fail(fmt.Errorf("serve %s: %w", l.Addr(), err))
		}
	})
	return func() {
		cancel()
		ctx, done := context.WithTimeout(context.Background(), shutdownTimeout)
		defer done()
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close()
		}
		wg.Wait()
	}
}

// guests bounds the connections of those who have not said who they are. When
// there are too many, the one that has been quiet for longest is closed: who has
// something to say says it at once. Over the network none lasts: what HTTP/2 lets
// a client leave unfinished is over then.
type guests struct {
	quiet *crowd.Crowd[net.Conn]
	local bool // calls in progress are trusted not to stall, and do not count
	life  time.Duration

	mu   sync.Mutex
	ends map[net.Conn]*time.Timer
}

func newGuests(limit int, life time.Duration, local bool) *guests {
	return &guests{quiet: crowd.New(limit, hangUp), local: local, life: life, ends: map[net.Conn]*time.Timer{}}
}

// note is an http.Server's ConnState.
func (g *guests) note(conn net.Conn, s http.ConnState) {
	if certified(conn) {
		return
	}
	over := s == http.StateClosed || s == http.StateHijacked
	if !g.local {
		g.limitLife(conn, over)
	}
	if over || s == http.StateActive && g.local {
		g.quiet.Leave(conn)
	} else {
		g.quiet.Enter(conn)
	}
}

// limitLife ends a connection that is not over in time.
func (g *guests) limitLife(conn net.Conn, over bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	end, known := g.ends[conn]
	switch {
	case over && known:
		end.Stop()
		delete(g.ends, conn)
	case !over && !known:
		g.ends[conn] = time.AfterFunc(g.life, func() { hangUp(conn) })
	}
}

// certified reports whether the client showed a certificate.
func certified(conn net.Conn) bool {
	t, ok := conn.(*tls.Conn)
	return ok && len(t.ConnectionState().PeerCertificates) > 0
}

// hangUp closes without a word, which could take its time.
func hangUp(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	_ = conn.Close()
}
