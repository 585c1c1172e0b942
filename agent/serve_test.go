package agent

import (
	"net"
	"net/http"
	"slices"
	"testing"
)

// Ten thousand connections that say nothing are held to a few; one that speaks
// meanwhile is served.
func TestCrowdOfQuietConnections(t *testing.T) {
	const limit, all = 8, 10_000
	c := newGuests(limit, false)
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
