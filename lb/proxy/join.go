package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// halfOpenIdle is how long a connection that one side has ended may stay silent
// in the other direction; it is cut after at most twice that. There is no limit
// while both directions are open: keep-alives find the peers that are gone.
const halfOpenIdle = 5 * time.Minute

// join copies between the session's two ends until both directions have ended,
// and closes them. The end of one direction is passed on as such; an error in
// one resets whoever would else take a cut stream for a complete one.
func join(s *session, count *counters) {
	in := &direction{dst: s.server, src: s.client, mover: newMover(s.server, s.client), bytes: &count.bytesIn}
	out := &direction{dst: s.client, src: s.server, mover: newMover(s.client, s.server), bytes: &count.bytesOut}
	in.back, out.back = out, in
	done := make(chan struct{})
	go func() {
		defer close(done)
		out.carry()
	}()
	in.carry()
	<-done
	_ = s.client.Close() // both directions have ended
	_ = s.server.Close()
}

// direction is one half of a session.
type direction struct {
	dst, src net.Conn
	mover    mover
	bytes    *atomic.Uint64
	back     *direction
	ended    atomic.Bool // src said that it will send no more, and dst was told
}

func (d *direction) carry() {
	if err := d.copy(); err != nil {
		d.fail()
		return
	}
	closeWrite(d.dst)
	d.ended.Store(true)
	_ = d.back.src.SetReadDeadline(time.Now().Add(halfOpenIdle)) // fails when closed already
}

// fail ends both directions. dst has not had the whole stream and is reset; src
// is too, unless all that was for it has been delivered: a reset would discard
// what it has not read yet.
func (d *direction) fail() {
	resetConn(d.dst)
	if d.back.ended.Load() {
		_ = d.src.Close() // a peer that is gone is gone
		return
	}
	resetConn(d.src)
}

// copy moves bytes until src ends (nil) or fails.
func (d *direction) copy() error {
	moved := int64(0) // since the deadline was set
	for {
		n, err := d.mover.move()
		moved += n
		d.bytes.Add(uint64(n))
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded) && moved > 0:
			moved = 0
			if err := d.src.SetReadDeadline(time.Now().Add(halfOpenIdle)); err != nil {
				return err
			}
		case err != nil:
			return err
		}
	}
}

// closeWrite tells c that no more will be sent. A connection without
// half-close is closed.
func closeWrite(c net.Conn) {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite() // a peer that is gone shows in the other direction
		return
	}
	_ = c.Close()
}
