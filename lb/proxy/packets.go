package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	// maxDatagram is the largest one that UDP can carry, and one byte.
	maxDatagram = 64 << 10
	// waitingDatagrams is how many of one client, and how many new clients, wait
	// to be carried on; the network may lose what comes beyond, and so it does.
	waitingDatagrams = 64
)

// packets makes connections of the datagrams of one UDP socket: one for each
// client and address of this host that it calls. It is a net.Listener of them.
type packets struct {
	conn    *net.UDPConn
	waiting chan *packetConn
	done    chan struct{} // the socket is closed, and nobody reads from it

	mu     sync.Mutex
	open   map[flow]*packetConn
	closed bool
}

// flow is who calls, and at which address of this host.
type flow struct {
	client netip.AddrPort
	local  netip.Addr
}

func listenPackets(ctx context.Context, address string) (net.Listener, error) {
	var cfg net.ListenConfig
	conn, err := cfg.ListenPacket(ctx, "udp", address)
	if err != nil {
		return nil, err
	}
	return newPackets(conn.(*net.UDPConn)), nil
}

func newPackets(conn *net.UDPConn) *packets {
	p := &packets{
		conn: conn, waiting: make(chan *packetConn, waitingDatagrams), done: make(chan struct{}),
		open: map[flow]*packetConn{},
	}
	// A host with several addresses has to answer from the one that was called.
	// Where the kernel does not tell, or for a socket of one family, one fails.
	_ = ipv6.NewPacketConn(p.conn).SetControlMessage(ipv6.FlagDst, true)
	_ = ipv4.NewPacketConn(p.conn).SetControlMessage(ipv4.FlagDst, true)
	go p.receive()
	return p
}

// SyscallConn implements syscall.Conn.
func (p *packets) SyscallConn() (syscall.RawConn, error) { return p.conn.SyscallConn() }

// receive hands datagrams to their connections until the socket is closed.
func (p *packets) receive() {
	defer close(p.done)
	defer p.closeAll()
	buf, oob := make([]byte, maxDatagram), make([]byte, 256)
	for {
		n, oobn, _, from, err := p.conn.ReadMsgUDPAddrPort(buf, oob)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // for want of memory; reading on at once would not help
			time.Sleep(acceptPause)
			continue
		}
		if c := p.connOf(flow{client: from, local: calledAt(oob[:oobn])}); c != nil {
			c.take(append([]byte(nil), buf[:n]...))
		}
	}
}

// connOf is the flow's connection, a new one where there is none; nil where too
// many are waiting.
func (p *packets) connOf(f flow) *packetConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.open[f]; c != nil {
		return c
	}
	c := &packetConn{packets: p, flow: f, in: make(chan []byte, waitingDatagrams), done: make(chan struct{}), answerFrom: answerFrom(f.local)}
	select {
	case p.waiting <- c:
		p.open[f] = c
		return c
	default:
		return nil
	}
}

func (p *packets) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.open {
		close(c.done)
	}
	p.open = nil
}

// Accept returns the connection of a client that was not known.
func (p *packets) Accept() (net.Conn, error) {
	select {
	case c := <-p.waiting:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close closes the socket and all connections.
func (p *packets) Close() error {
	err := p.conn.Close()
	<-p.done
	return err
}

// Addr is the socket's.
func (p *packets) Addr() net.Addr { return p.conn.LocalAddr() }

// packetConn is one client's datagrams. Reads and writes are of one datagram
// each.
type packetConn struct {
	packets    *packets
	flow       flow
	in         chan []byte
	done       chan struct{}
	answerFrom []byte
}

func (c *packetConn) take(datagram []byte) {
	select {
	case c.in <- datagram:
	default:
	}
}

// next waits for a datagram; it is nil when the connection is closed.
func (c *packetConn) next() []byte {
	select {
	case datagram := <-c.in:
		return datagram
	case <-c.done:
		return nil
	}
}

func (c *packetConn) Read(b []byte) (int, error) {
	datagram := c.next()
	if datagram == nil {
		return 0, net.ErrClosed
	}
	return copy(b, datagram), nil
}

func (c *packetConn) Write(b []byte) (int, error) {
	n, _, err := c.packets.conn.WriteMsgUDPAddrPort(b, c.answerFrom, c.flow.client)
	return n, err
}

// Close ends the connection; the client's next datagram begins another.
func (c *packetConn) Close() error {
	c.packets.mu.Lock()
	defer c.packets.mu.Unlock()
	if !c.packets.closed && c.packets.open[c.flow] == c {
		delete(c.packets.open, c.flow)
		close(c.done)
	}
	return nil
}

func (c *packetConn) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(c.flow.client) }
func (c *packetConn) LocalAddr() net.Addr  { return c.packets.conn.LocalAddr() }

// Deadlines are exchange's.
func (c *packetConn) SetDeadline(time.Time) error      { return nil }
func (c *packetConn) SetReadDeadline(time.Time) error  { return nil }
func (c *packetConn) SetWriteDeadline(time.Time) error { return nil }

// calledAt is the address of this host that a datagram came to, the zero one
// where the kernel does not tell.
func calledAt(oob []byte) netip.Addr {
	var of6 ipv6.ControlMessage
	if of6.Parse(oob) == nil && of6.Dst != nil {
		return addrOf(of6.Dst)
	}
	var of4 ipv4.ControlMessage
	if of4.Parse(oob) == nil && of4.Dst != nil {
		return addrOf(of4.Dst)
	}
	return netip.Addr{}
}

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// answerFrom is what has the kernel send from that address.
func answerFrom(local netip.Addr) []byte {
	switch {
	case local.Is4():
		return (&ipv4.ControlMessage{Src: local.AsSlice()}).Marshal()
	case local.Is6():
		return (&ipv6.ControlMessage{Src: local.AsSlice()}).Marshal()
	}
	return nil
}
