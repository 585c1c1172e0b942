package proxy

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// datagrams are buffers for one each.
var datagrams = bufferPool(maxDatagram)

// exchange carries datagrams between the session's two ends until both have been
// silent for a while or the backend refuses one.
func (p *Proxy) exchange(s *session, count *counters) {
	e := &exchanged{p: p, s: s, count: count, idle: time.AfterFunc(p.cfg.Idle, s.reset)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.end(e.answer())
	}()
	e.end(e.ask())
	<-done
}

type exchanged struct {
	p     *Proxy
	s     *session
	count *counters
	idle  *time.Timer
}

// end closes both ends. A backend whose host says that nobody listens there has
// failed.
func (e *exchanged) end(err error) {
	e.idle.Stop()
	if errors.Is(err, syscall.ECONNREFUSED) {
		e.count.dialFailures.Add(1)
		e.p.eject(e.s.backend, err)
	}
	e.s.reset()
}

// ask passes the client's datagrams on until one end is closed.
func (e *exchanged) ask() error {
	client := e.s.client.(*packetConn)
	for datagram := client.next(); datagram != nil; datagram = client.next() {
		e.idle.Reset(e.p.cfg.Idle)
		n, err := e.s.server.Write(datagram)
		e.count.bytesIn.Add(uint64(n))
		if err != nil {
			return err
		}
	}
	return nil
}

// answer passes the backend's datagrams on until one end is closed.
func (e *exchanged) answer() error {
	raw, err := e.s.server.(*net.UDPConn).SyscallConn()
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		buf, n, err := readInto(raw, datagrams)
		if err != nil {
			return err
		}
		if first {
			e.p.health.answered(e.s.backend)
		}
		e.idle.Reset(e.p.cfg.Idle)
		n, err = e.s.client.Write((*buf)[:n])
		datagrams.Put(buf)
		e.count.bytesOut.Add(uint64(n))
		if err != nil {
			return err
		}
	}
}
