package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"
)

// idle is how long a client over TCP may be silent (RFC 7766, section 6.2.3), or
// take nothing.
const idle = 10 * time.Second

// serveStreams answers connections until ctx ends.
func (p *port) serveStreams(ctx context.Context, listener net.Listener) {
	s := p.server
	for {
		conn, err := listener.Accept()
		if err != nil {
			if !transient(ctx, err) {
				return
			}
			rest(ctx)
			continue
		}
		from := addrPort(conn.RemoteAddr()).Addr()
		var measure *client
		if s.welcome(from) {
			measure = s.limits.connect(from, time.Now())
		}
		if measure == nil {
			s.stats.dropped.Add(1)
			_ = conn.Close()
			continue
		}
		p.wg.Go(func() {
			defer s.limits.disconnect(measure)
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer stop()
			defer func() { _ = conn.Close() }()
			for p.serveStream(ctx, conn, from) == nil {
			}
		})
	}
}

// errEnough ends the connection of a client who asked too much, or no question.
var errEnough = errors.New("no more answers on this connection")

// serveStream answers one question.
func (p *port) serveStream(ctx context.Context, conn net.Conn, from netip.Addr) error {
	s := p.server
	_ = conn.SetDeadline(time.Now().Add(idle))
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return err
	}
	s.stats.queries.Add(1)
	n := binary.BigEndian.Uint16(length[:])
	measure, ok := s.limits.take(from, time.Now())
	if n > maxQuery || !ok {
		s.stats.dropped.Add(1)
		return errEnough
	}
	query := make([]byte, n)
	if _, err := io.ReadFull(conn, query); err != nil {
		return err
	}
	reply, foreign := s.answer(query, origin{client: from, gateway: p.at.Addr(), stream: true})
	if foreign != nil {
		if s.limits.begin(measure) {
			reply = s.relay(ctx, foreign)
			s.limits.end(measure)
		} else {
			reply = s.fail(foreign)
		}
	}
	if reply == nil {
		s.stats.dropped.Add(1)
		return errEnough
	}
	_ = conn.SetDeadline(time.Now().Add(idle))
	_, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
	return err
}
