package proxy

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// keepAlive finds a silent peer of an idle connection within a minute.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// unackedTimeout is how long a backend may leave bytes unacknowledged, or its
// receive window shut (tcp(7), TCP_USER_TIMEOUT), before the connection breaks.
// It frees clients of a dead host of which no table tells. It is not shorter,
// because the kernel counts a living backend that does not read for so long as
// well.
const unackedTimeout = 30 * time.Second

func dialTCP(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: keepAlive, Control: limitUnacked}
	c, err := d.DialTCP(ctx, "tcp", netip.AddrPort{}, addr)
	if err != nil {
		return nil, err // not a nil *net.TCPConn in an interface
	}
	return c, nil
}
