package dns

import (
	"net/netip"
	"sync"
	"time"
)

// What one client and all of them may make the server do.
const (
	perSecond       = 5000 // questions of a client; so many may come at once
	maxForwards     = 512  // questions at upstreams at once
	clientForwards  = 64
	maxConns        = 512 // TCP connections at once
	clientConns     = 16
	maxClients      = 4096 // that are told apart; the others share one measure
	forgetClientsIn = 10 * time.Second
)

// clients measures what each of them asks, so that the flood of one takes nothing
// from the others. The zero value is ready for use, and safe for concurrent use.
type clients struct {
	mu       sync.Mutex
	each     map[netip.Addr]*client
	others   client // those that there is no room for
	forwards int
	conns    int
	swept    time.Time // when it was looked for some to forget
}

// client is a token bucket, and what is in flight.
type client struct {
	tokens          float64
	at              time.Time // that the tokens were counted
	forwards, conns int
}

// take is the measure of a client who asks now; ok is false if it has asked too much.
func (c *clients) take(from netip.Addr, now time.Time) (x *client, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x = c.find(from, now)
	x.tokens = min(perSecond, x.tokens+now.Sub(x.at).Seconds()*perSecond)
	x.at = now
	if x.tokens < 1 {
		return x, false
	}
	x.tokens--
	return x, true
}

// find is the client's measure. One who was silent for a while, and has nothing in
// flight, is forgotten where there is no room: its bucket is full.
func (c *clients) find(from netip.Addr, now time.Time) *client {
	if x := c.each[from]; x != nil {
		return x
	}
	if c.each == nil {
		c.each = map[netip.Addr]*client{}
	}
	if len(c.each) >= maxClients && now.Sub(c.swept) >= time.Second {
		c.swept = now
		for a, x := range c.each {
			if x.forwards == 0 && x.conns == 0 && now.Sub(x.at) > forgetClientsIn {
				delete(c.each, a)
			}
		}
	}
	if len(c.each) >= maxClients {
		return &c.others
	}
	x := &client{tokens: perSecond, at: now}
	c.each[from] = x
	return x
}

// begin reports whether a question of the client may go to an upstream; end follows.
func (c *clients) begin(x *client) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forwards >= maxForwards || x.forwards >= clientForwards {
		return false
	}
	c.forwards++
	x.forwards++
	return true
}

func (c *clients) end(x *client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forwards--
	x.forwards--
}

// connect is the measure of a client who may have another connection, nil if it may
// not; disconnect follows.
func (c *clients) connect(from netip.Addr, now time.Time) *client {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.find(from, now)
	if c.conns >= maxConns || x.conns >= clientConns {
		return nil
	}
	c.conns++
	x.conns++
	return x
}

func (c *clients) disconnect(x *client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns--
	x.conns--
}
