package gossip

import (
	"context"
	"fmt"
	"log"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// netTransport is memberlist's own network, except that its streams end with
// a context: dials to dead hosts must not hold up the end of the agent; and that
// what others open is bounded.
type netTransport struct {
	*memberlist.NetTransport
	ctx     context.Context
	streams streams
	passing sync.WaitGroup
	over    chan struct{} // closed when the network has ended
	end     sync.Once
}

func newNetTransport(ctx context.Context, bindAddr string, bindPort int, logger *log.Logger) (*netTransport, error) {
	if bindAddr == "" {
		bindAddr = "0.0.0.0"
	}
	t, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{
		BindAddrs: []string{bindAddr},
		BindPort:  bindPort,
		Logger:    logger,
	})
	if err != nil {
		return nil, fmt.Errorf("listen for gossip: %w", err)
	}
	n := &netTransport{NetTransport: t, ctx: ctx, streams: newStreams(), over: make(chan struct{})}
	n.passing.Go(func() { n.streams.pass(t.StreamCh(), n.over) })
	return n, nil
}

// StreamCh implements memberlist.Transport.
func (t *netTransport) StreamCh() <-chan net.Conn { return t.streams.out }

// Shutdown implements memberlist.Transport.
func (t *netTransport) Shutdown() (err error) {
	t.end.Do(func() {
		close(t.streams.ends)
		err = t.NetTransport.Shutdown()
		close(t.over)
		t.passing.Wait()
	})
	return err
}

// DialTimeout implements memberlist.Transport.
func (t *netTransport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	dialer := net.Dialer{Timeout: timeout}
	conn, err := dialer.DialContext(t.ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(t.ctx, func() { _ = conn.Close() })
	return &boundConn{Conn: conn, release: stop}, nil
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (t *netTransport) DialAddressTimeout(addr memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(addr.Addr, timeout)
}

// boundConn forgets its context when it is closed.
type boundConn struct {
	net.Conn
	release func() bool
}

func (c *boundConn) Close() error {
	c.release()
	return c.Conn.Close()
}
