package agent

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of what a client can hold.
const (
	maxGuests      = 256              // connections without a certificate, and to the local socket
	maxHeader      = 64 << 10         // bytes
	stuckAfter     = 30 * time.Second // of writing to a connection that takes nothing
	headerPatience = 5 * time.Second  // with a request's first lines
)

// serve runs an HTTP server on l; stop ends it and waits. Streams and taken-over
// connections, which would go on for ever, end with the calls' base context;
// a write that it cuts short is safe to repeat.
func (a *Agent) serve(l net.Listener, h http.Handler) (stop func()) {
	guests := newCrowd(maxGuests)
	guests.local = l.Addr().Network() == "unix"
	base, cancel := context.WithCancel(context.Background())
	srv := &http.Server{
		BaseContext: func(net.Listener) context.Context { return base },
		Handler:     h, ReadHeaderTimeout: headerPatience, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: maxHeader, HTTP2: &http.HTTP2Config{WriteByteTimeout: stuckAfter}, ConnState: guests.note,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
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

// crowd bounds the connections of those who have not said who they are. When
// there are too many, the one that has been quiet for longest is closed: who has
// something to say says it at once.
type crowd struct {
	limit int
	local bool // calls in progress are trusted not to stall, and do not count

	mu    sync.Mutex
	quiet list.List // of net.Conn, the longest quiet first
	at    map[net.Conn]*list.Element
}

func newCrowd(limit int) *crowd { return &crowd{limit: limit, at: map[net.Conn]*list.Element{}} }

// note is an http.Server's ConnState.
func (c *crowd) note(conn net.Conn, s http.ConnState) {
	if certified(conn) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.at[conn]; ok {
		c.quiet.Remove(e)
		delete(c.at, conn)
	}
	if s == http.StateClosed || s == http.StateHijacked || s == http.StateActive && c.local {
		return
	}
	if c.quiet.Len() >= c.limit {
		longest := c.quiet.Remove(c.quiet.Front()).(net.Conn)
		delete(c.at, longest)
		hangUp(longest)
	}
	c.at[conn] = c.quiet.PushBack(conn)
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
