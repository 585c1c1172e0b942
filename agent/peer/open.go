package peer

import (
	"net"
	"sync"

	"github.com/musterhq/muster/cluster"
)

// openConns are a pool's open connections. They have a lock of their own: they
// are closed under the pool's.
type openConns struct {
	mu  sync.Mutex
	all map[*openConn]bool
}

// openConn forgets itself when it is closed.
type openConn struct {
	net.Conn
	of   *openConns
	node cluster.NodeID
}

func (o *openConns) add(node cluster.NodeID, raw net.Conn) *openConn {
	c := &openConn{Conn: raw, of: o, node: node}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all == nil {
		o.all = map[*openConn]bool{}
	}
	o.all[c] = true
	return c
}

func (o *openConns) to(node cluster.NodeID) []*openConn {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []*openConn
	for c := range o.all {
		if c.node == node {
			out = append(out, c)
		}
	}
	return out
}

func (c *openConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.all, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
