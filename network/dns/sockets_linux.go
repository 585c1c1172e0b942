package dns

import (
	"context"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// free lets a socket have an address that the host is about to get (IP_FREEBIND,
// ip(7)), and its successor in another process the same one (SO_REUSEPORT, socket(7)).
var free = net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
	var err error
	outer := c.Control(func(fd uintptr) {
		if err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_FREEBIND, 1); err == nil {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}
	})
	if outer != nil {
		return outer
	}
	return err
}}

func listen(ctx context.Context, at netip.AddrPort) (net.Listener, error) {
	return free.Listen(ctx, "tcp4", at.String())
}

func listenPacket(ctx context.Context, at netip.AddrPort) (net.PacketConn, error) {
	return free.ListenPacket(ctx, "udp4", at.String())
}
