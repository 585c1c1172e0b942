package gossiptest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// Transport is one host's end of a [Network], for Config.Transport.
type Transport struct {
	net     *Network
	addr    string
	packets chan *memberlist.Packet
	streams chan net.Conn
	done    chan struct{}
	once    sync.Once
}

var _ memberlist.Transport = (*Transport)(nil)

// Addr returns the host's address, "ip:port".
func (t *Transport) Addr() string { return t.addr }

// FinalAdvertiseAddr implements memberlist.Transport: a host advertises the
// address that it has on the network, whatever was configured.
func (t *Transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	ap, err := netip.ParseAddrPort(t.addr)
	if err != nil {
		return nil, 0, fmt.Errorf("address of host %q: %w", t.addr, err)
	}
	return ap.Addr().AsSlice(), int(ap.Port()), nil
}

// WriteTo implements memberlist.Transport. Like UDP it reports no loss.
func (t *Transport) WriteTo(b []byte, addr string) (time.Time, error) {
	now := time.Now()
	p := &memberlist.Packet{Buf: append([]byte(nil), b...), From: address(t.addr)}
	time.AfterFunc(Latency, func() {
		// Routed on arrival: what a cut or a death catches on its way is lost.
		if to := t.net.route(t, addr); to != nil {
			to.receive(p)
		}
	})
	return now, nil
}

func (t *Transport) receive(p *memberlist.Packet) {
	p.Timestamp = time.Now()
	select {
	case <-t.done:
		return
	default:
	}
	select {
	case t.packets <- p:
	default: // a full queue drops, as a kernel does
	}
}

// PacketCh implements memberlist.Transport.
func (t *Transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh implements memberlist.Transport.
func (t *Transport) StreamCh() <-chan net.Conn { return t.streams }

// DialTimeout implements memberlist.Transport. It is refused at once by a
// host whose program ended, and times out on a dead or unreachable one.
func (t *Transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	expired := time.NewTimer(timeout)
	defer expired.Stop()
	select {
	case <-time.After(Latency):
	case <-t.done:
		return nil, t.dialError(addr, net.ErrClosed)
	}
	to := t.net.route(t, addr)
	if to == nil || t.net.route(to, t.addr) != t {
		select {
		case <-expired.C:
			return nil, t.dialError(addr, os.ErrDeadlineExceeded)
		case <-t.done:
			return nil, t.dialError(addr, net.ErrClosed)
		}
	}
	near, far := newStream(t, to)
	select {
	case <-to.done:
		return nil, t.dialError(addr, errors.New("connection refused"))
	default:
	}
	select {
	case to.streams <- far:
		return near, nil
	case <-to.done:
		return nil, t.dialError(addr, errors.New("connection refused"))
	case <-expired.C:
		return nil, t.dialError(addr, os.ErrDeadlineExceeded)
	case <-t.done:
		return nil, t.dialError(addr, net.ErrClosed)
	}
}

func (t *Transport) dialError(addr string, err error) error {
	return &net.OpError{Op: "dial", Net: "tcp", Addr: address(addr), Err: err}
}

// Shutdown implements memberlist.Transport: the program ends, its host lives.
func (t *Transport) Shutdown() error {
	t.once.Do(func() { close(t.done) })
	return nil
}

// stream is one end of a connection. Once something was lost on it, it stays
// silent in that direction: TCP never delivers what follows a gap.
type stream struct {
	net.Conn
	local, remote *Transport
	lost          atomic.Bool
}

func newStream(from, to *Transport) (near, far *stream) {
	a, b := net.Pipe()
	return &stream{Conn: a, local: from, remote: to}, &stream{Conn: b, local: to, remote: from}
}

func (s *stream) arrives() bool {
	if s.lost.Load() {
		return false
	}
	if s.local.net.route(s.local, s.remote.addr) != s.remote {
		s.lost.Store(true)
		return false
	}
	return true
}

func (s *stream) Write(b []byte) (int, error) {
	if !s.arrives() {
		return len(b), nil // into the kernel's buffer, and no further
	}
	return s.Conn.Write(b)
}

// Close tells the other end, if that can be told.
func (s *stream) Close() error {
	if !s.arrives() {
		return s.SetDeadline(time.Unix(1, 0)) // ends the calls of this end
	}
	return s.Conn.Close()
}

func (s *stream) LocalAddr() net.Addr  { return address(s.local.addr) }
func (s *stream) RemoteAddr() net.Addr { return address(s.remote.addr) }

type address string

func (address) Network() string  { return "memory" }
func (a address) String() string { return string(a) }
