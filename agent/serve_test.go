package agent

import (
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Ten thousand connections that say nothing are held to a few; one that speaks
// meanwhile is served.
func TestCrowdOfQuietConnections(t *testing.T) {
	const limit, all = 8, 10_000
	c := newGuests(limit, guestLife, false)
	open := 0
	speaker, far := net.Pipe()
	defer func() { _ = far.Close() }()
	c.note(speaker, http.StateNew)
	for range all {
		conn, other := net.Pipe()
		go func() { // as net/http does when its read fails
			_, _ = conn.Read(make([]byte, 1))
			c.note(conn, http.StateClosed)
			_ = other.Close()
		}()
		c.note(conn, http.StateNew)
		c.note(speaker, http.StateActive)
		open = max(open, len(c.quiet.All()))
	}
	if open != limit {
		t.Errorf("%d connections were open at once, not %d", open, limit)
	}
	left := c.quiet.All()
	if !slices.Contains(left, speaker) {
		t.Error("the one that spoke was closed")
	}
	for _, conn := range left {
		_ = conn.Close()
	}
	if len(left) != limit {
		t.Errorf("%d are left, not %d", len(left), limit)
	}
}

// A stranger's connection ends in time, whatever it does meanwhile; a member's,
// and one to the local socket, do not.
func TestStrangersConnectionsEnd(t *testing.T) {
	for local, lives := range map[bool]bool{false: false, true: true} {
		synctest.Test(t, func(t *testing.T) {
			g := newGuests(8, guestLife, local)
			conn, far := net.Pipe()
			closed, over := net.Pipe()
			g.note(closed, http.StateNew)
			g.note(closed, http.StateClosed)
			g.note(conn, http.StateNew)
			for range 4 {
				time.Sleep(guestLife/4 + time.Second)
				g.note(conn, http.StateActive)
				g.note(conn, http.StateIdle)
			}
			_ = far.SetReadDeadline(time.Now().Add(time.Second))
			if _, err := far.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) != lives {
				t.Errorf("local %v: %v", local, err)
			}
			g.note(conn, http.StateClosed)
			if len(g.ends) != 0 || len(g.quiet.All()) != 0 {
				t.Errorf("local %v: %d and %d are left of none", local, len(g.ends), len(g.quiet.All()))
			}
			for _, c := range []net.Conn{conn, far, closed, over} {
				_ = c.Close()
			}
		})
	}
}
