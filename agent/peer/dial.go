package peer

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/security"
)

// DialTLS opens a connection to a node that must prove to be that node. alpn
// defaults to HTTP. Of several addresses the first to lead to the node is taken.
func (p *Pool) DialTLS(ctx context.Context, node cluster.NodeID, alpn ...string) (net.Conn, error) {
	addrs := p.dir.Addresses(node)
	if len(addrs) == 0 {
		return nil, fmt.Errorf("dial node %s: %w", node, ErrNoAddress)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*dialTimeout)
	defer cancel()
	dials := make(chan dialled, len(addrs))
	for _, addr := range addrs {
		go func() {
			conn, err := p.dialAt(ctx, node, addr, alpn)
			dials <- dialled{conn, err}
		}()
	}
	var first error
	for left := len(addrs); left > 0; left-- {
		d := <-dials
		if d.err == nil {
			go closeOthers(dials, left-1)
			return d.conn, nil
		}
		if first == nil {
			first = d.err
		}
	}
	return nil, first
}

// dialled is what came of one address.
type dialled struct {
	conn net.Conn
	err  error
}

// closeOthers closes the connections that came after the first. Their context
// has ended: it does not wait for long.
func closeOthers(dials <-chan dialled, n int) {
	for range n {
		if d := <-dials; d.err == nil {
			_ = d.conn.Close() // nothing was sent
		}
	}
}

func (p *Pool) dialAt(ctx context.Context, node cluster.NodeID, addr string, alpn []string) (net.Conn, error) {
	raw, err := p.dial(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("dial node %s: %w", node, err)
	}
	raw = p.open.add(node, raw)
	conn := tls.Client(raw, security.ClientTLS(p.identity, string(node), p.verify, alpn...))
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		p.met(node, addr, err)
		return nil, fmt.Errorf("dial node %s at %s: %w", node, addr, err)
	}
	p.met(node, addr, nil)
	return conn, nil
}
