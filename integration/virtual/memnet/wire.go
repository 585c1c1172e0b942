package memnet

import (
	"syscall"
	"time"
)

// send puts a segment on its way. c.mu is held, as in all of this file.
func (c *conn) send(s segment) {
	s.sent = time.Now()
	s.due = s.sent
	if c.from != c.to {
		s.due = s.sent.Add(Latency)
	}
	c.queue = append(c.queue, s)
	if !c.running {
		c.retry = retransmit
		c.arm(time.Until(s.due))
	}
}

func (c *conn) arm(after time.Duration) {
	c.running = true
	time.AfterFunc(after, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.running = false
		c.transmit(time.Now())
	})
}

// transmit delivers what is due, in order, or sets the timer for another try.
func (c *conn) transmit(now time.Time) {
	there, back, stranger := true, true, false
	if c.from != "" {
		there, back, stranger = c.process.host.net.way(c)
	}
	for len(c.queue) > 0 {
		s := &c.queue[0]
		if s.due.After(now) {
			c.arm(s.due.Sub(now))
			return
		}
		if there && !s.arrived {
			if stranger || c.peer.closed {
				if back {
					c.breakBy(syscall.ECONNRESET)
					return
				}
			} else {
				c.deliver(s)
			}
		}
		if !there || !back {
			c.again(now, s)
			return
		}
		c.retry = retransmit
		c.queued -= len(s.data)
		c.queue = c.queue[1:]
		c.wake()
	}
}

// deliver hands a segment to the other end, whose acknowledgement may be lost.
func (c *conn) deliver(s *segment) {
	s.arrived = true
	if s.fin {
		c.peer.ended = true
	} else {
		c.peer.unread = append(c.peer.unread, s.data...)
	}
	c.wake()
}

// again waits for another try, or gives up.
func (c *conn) again(now time.Time, s *segment) {
	limit := abandoned
	if c.closed {
		limit = orphaned
	}
	if c.patience > 0 {
		limit = min(limit, c.patience)
	}
	over := s.sent.Add(limit)
	if !over.After(now) {
		c.breakBy(syscall.ETIMEDOUT)
		return
	}
	c.arm(min(c.retry, over.Sub(now)))
	c.retry = min(2*c.retry, retransmitMax)
}
