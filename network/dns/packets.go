package dns

import (
	"context"
	"net"
	"time"
)

// maxQuery bounds a question over UDP: a name of 255 bytes and options.
const maxQuery = 4096

// servePackets answers datagrams until ctx ends. What the zone knows is answered at
// once; only what goes to an upstream has a goroutine, of which there is a limited
// number.
func (p *port) servePackets(ctx context.Context, conn net.PacketConn) {
	s := p.server
	buf := make([]byte, maxQuery)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			if !transient(ctx, err) {
				return
			}
			rest(ctx)
			continue
		}
		client := addrPort(from).Addr()
		s.stats.queries.Add(1)
		if !s.welcome(client) {
			s.stats.dropped.Add(1)
			continue
		}
		measure, ok := s.limits.take(client, time.Now())
		if !ok {
			s.stats.dropped.Add(1)
			continue
		}
		reply, foreign := s.answer(buf[:n], origin{client: client, gateway: p.at.Addr()})
		switch {
		case foreign == nil:
			p.send(conn, from, reply)
		case !s.limits.begin(measure):
			p.send(conn, from, s.fail(foreign))
		default:
			p.wg.Go(func() {
				defer s.limits.end(measure)
				p.send(conn, from, s.relay(ctx, foreign))
			})
		}
	}
}

func (p *port) send(conn net.PacketConn, to net.Addr, reply []byte) {
	if reply == nil {
		p.server.stats.dropped.Add(1)
		return
	}
	_, _ = conn.WriteTo(reply, to) // who asked asks again
}
