package gossip

import (
	"io"
	"net"

	"github.com/musterhq/muster/crowd"
)

// Bounds of what others open. An exchange of membership takes milliseconds and,
// for ten thousand members, less than 4 MiB; memberlist keeps all of it in memory until
// it has seen whether the sender has the key.
const (
	maxStreams     = 32
	maxStreamBytes = 4 << 20
)

// streams hands on the connections that others open. When there are too many,
// the oldest is closed: an honest one would have been over.
type streams struct {
	out  chan net.Conn
	ends chan struct{} // closed when nobody takes from out any more
	open *crowd.Crowd[net.Conn]
}

func newStreams() streams {
	return streams{
		out: make(chan net.Conn), ends: make(chan struct{}),
		open: crowd.New(maxStreams, func(c net.Conn) { _ = c.Close() }),
	}
}

// pass hands on until over is closed. The network waits for its connections to
// be taken, also while it ends.
func (s *streams) pass(in <-chan net.Conn, over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case raw := <-in:
			conn := s.admit(raw)
			select {
			case s.out <- conn:
			case <-s.ends:
				_ = conn.Close()
			}
		}
	}
}

func (s *streams) admit(conn net.Conn) *stream {
	s.open.Enter(conn)
	return &stream{Conn: conn, of: s, left: maxStreamBytes}
}

// stream is one of them, of which only so much is read.
type stream struct {
	net.Conn
	of   *streams
	left int
}

func (c *stream) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.Conn.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}

func (c *stream) Close() error {
	c.of.open.Leave(c.Conn)
	return c.Conn.Close()
}
