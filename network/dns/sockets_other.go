//go:build !linux

package dns

import (
	"context"
	"net"
	"net/netip"
)

func listen(ctx context.Context, at netip.AddrPort) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp4", at.String())
}

func listenPacket(ctx context.Context, at netip.AddrPort) (net.PacketConn, error) {
	return (&net.ListenConfig{}).ListenPacket(ctx, "udp4", at.String())
}
