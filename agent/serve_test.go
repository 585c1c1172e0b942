package agent

import (
	"net"
	"net/http"
	"testing"
)

// Ten thousand connections that say nothing are held to a few; one that speaks
// meanwhile is served.
func TestCrowdOfQuietConnections(t *testing.T) {
	const limit, all = 8, 10_000
	c := newCrowd(limit)
	var closed, open int
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
		c.mu.Lock()
		open = max(open, c.quiet.Len())
		c.mu.Unlock()
	}
	if open != limit {
		t.Errorf("%d connections were open at once, not %d", open, limit)
	}
	c.mu.Lock()
	if _, there := c.at[speaker]; !there {
		t.Error("the one that spoke was closed")
	}
	for conn := range c.at {
		_ = conn.Close()
		closed++
	}
	c.mu.Unlock()
	if closed != limit {
		t.Errorf("%d are left, not %d", closed, limit)
	}
}
