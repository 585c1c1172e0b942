package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how much may be under way or unread in one direction, in bytes.
const window = 256 << 10

// pair is what both ends of a connection share.
type pair struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced when anything below changed
}

func (p *pair) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// conn is one end of a connection.
type conn struct {
	process       *Process
	local, remote net.Addr
	from, to      string // addresses on the network; both "" on a unix socket
	peer          *conn
	patience      time.Duration // with data that is not acknowledged; 0: a kernel's

	*pair // guards the rest

	unread []byte
	ended  bool  // the other end closed, and all that it sent has arrived
	broken error // why nothing more arrives or leaves
	closed bool
	read   time.Time // deadline
	write  time.Time // deadline

	queue   []segment // sent and not acknowledged
	queued  int       // bytes of it
	retry   time.Duration
	running bool // a timer for queue is set
}

// segment is data on its way.
type segment struct {
	data      []byte
	fin       bool
	sent, due time.Time
	arrived   bool // but not acknowledged
}

func newPair(a, b *Process, local, remote net.Addr, patience time.Duration) (near, far *conn) {
	shared := &pair{changed: make(chan struct{})}
	near = &conn{process: a, local: local, remote: remote, pair: shared, patience: patience}
	far = &conn{process: b, local: remote, remote: local, pair: shared}
	near.peer, far.peer = far, near
	if l, ok := local.(*net.TCPAddr); ok {
		r := remote.(*net.TCPAddr)
		near.from, near.to = l.IP.String(), r.IP.String()
		far.from, far.to = near.to, near.from
	}
	a.own(near)
	b.own(far)
	return near, far
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	for {
		c.mu.Lock()
		n, done, err := c.take(b)
		deadline, changed := c.read, c.changed
		c.mu.Unlock()
		if done {
			return n, c.fault("read", err)
		}
		await(changed, deadline)
	}
}

func (c *conn) take(b []byte) (n int, done bool, err error) {
	switch {
	case c.closed:
		return 0, true, net.ErrClosed
	case expired(c.read):
		return 0, true, os.ErrDeadlineExceeded
	case len(c.unread) > 0:
		n = copy(b, c.unread)
		c.unread = c.unread[n:]
		c.wake()
		return n, true, nil
	case c.broken != nil:
		return 0, true, c.broken
	case c.ended:
		return 0, true, io.EOF
	}
	return 0, len(b) == 0, nil
}

// Write implements net.Conn. As a kernel does, it takes what fits its buffer
// whether or not that arrives.
func (c *conn) Write(b []byte) (n int, err error) {
	for {
		c.mu.Lock()
		k, err := c.put(b[n:])
		deadline, changed := c.write, c.changed
		c.mu.Unlock()
		n += k
		if err != nil || n == len(b) {
			return n, c.fault("write", err)
		}
		if k == 0 {
			await(changed, deadline)
		}
	}
}

func (c *conn) put(b []byte) (int, error) {
	switch {
	case c.closed:
		return 0, net.ErrClosed
	case expired(c.write):
		return 0, os.ErrDeadlineExceeded
	case c.broken != nil:
		return 0, c.broken
	}
	n := min(len(b), window-c.queued-len(c.peer.unread))
	if n <= 0 {
		return 0, nil
	}
	c.queued += n
	c.send(segment{data: append([]byte(nil), b[:n]...)})
	return n, nil
}

// Close implements net.Conn: what was written is still sent, and then the end.
// What the other end sends from now on resets it.
func (c *conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return c.fault("close", net.ErrClosed)
	}
	c.closed = true
	if c.broken == nil {
		c.send(segment{fin: true})
	}
	c.wake()
	c.mu.Unlock()
	c.process.disown(c)
	return nil
}

// vanish closes this end without a word: its host died.
func (c *conn) vanish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed, c.queue, c.queued = true, nil, 0
	c.wake()
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	return c.change(func() { c.read, c.write = t, t })
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { return c.change(func() { c.read = t }) }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.change(func() { c.write = t }) }

func (c *conn) change(f func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.fault("set", net.ErrClosed)
	}
	f()
	c.wake()
	return nil
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// fault dresses an error as package net does; io.EOF stays bare.
func (c *conn) fault(op string, err error) error {
	if err == nil || err == io.EOF { //nolint:errorlint // it is made here
		return err
	}
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}

func expired(deadline time.Time) bool { return !deadline.IsZero() && !time.Now().Before(deadline) }

// await returns when something changed or the deadline is over.
func await(changed <-chan struct{}, deadline time.Time) {
	var over <-chan time.Time
	if !deadline.IsZero() {
		t := time.NewTimer(time.Until(deadline))
		defer t.Stop()
		over = t.C
	}
	select {
	case <-changed:
	case <-over:
	}
}

// breakBy ends the connection for this end.
func (c *conn) breakBy(reason syscall.Errno) {
	if c.broken == nil {
		c.broken = reason
	}
	c.queue, c.queued = nil, 0
	c.wake()
}
