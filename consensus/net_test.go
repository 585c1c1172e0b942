package consensus

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/musterhq/muster/cluster"
)

// network connects stores through pipes, so that they run in virtual time.
type network struct {
	mu    sync.Mutex
	doors map[cluster.NodeID]*door
	cut   map[cluster.NodeID]bool
	conns map[cluster.NodeID][]net.Conn
}

func newNetwork() *network {
	return &network{doors: map[cluster.NodeID]*door{}, cut: map[cluster.NodeID]bool{}, conns: map[cluster.NodeID][]net.Conn{}}
}

type door struct {
	name   string
	in     chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.in:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}

func (d *door) Addr() net.Addr { return nodeAddr(d.name) }

func (n *network) listen(id cluster.NodeID) net.Listener {
	d := &door{name: string(id), in: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.doors[id] = d
	return d
}

func (n *network) addr(id cluster.NodeID) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.doors[id]
	return "mem://" + string(id), ok
}

// dialer returns the Dial of a node.
func (n *network) dialer(from cluster.NodeID) func(context.Context, cluster.NodeID, string, time.Duration) (net.Conn, error) {
	return func(ctx context.Context, to cluster.NodeID, addr string, _ time.Duration) (net.Conn, error) {
		n.mu.Lock()
		d, cut := n.doors[to], n.cut[from] || n.cut[to]
		n.mu.Unlock()
		if d == nil || cut || addr != "mem://"+string(to) {
			return nil, fmt.Errorf("%s is unreachable at %q", to, addr)
		}
		ours, theirs := net.Pipe()
		select {
		case d.in <- theirs:
			n.mu.Lock()
			n.conns[from] = append(n.conns[from], ours)
			n.conns[to] = append(n.conns[to], ours)
			n.mu.Unlock()
			return ours, nil
		case <-d.closed:
			return nil, fmt.Errorf("%s refuses", to)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// isolate cuts a node off, or connects it again.
func (n *network) isolate(id cluster.NodeID, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[id] = cut
	for _, c := range n.conns[id] {
		c.Close()
	}
	n.conns[id] = nil
}
