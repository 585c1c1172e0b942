package proxy

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/lb"
)

// Pauses between attempts to open a port, and after an accept that failed.
const (
	minListenPause = 250 * time.Millisecond
	maxListenPause = 5 * time.Second
	acceptPause    = 50 * time.Millisecond
)

// port is one published port's listener, from its first attempt to listen
// until it leaves the table. Its connections may outlive it.
type port struct {
	proxy   *Proxy
	key     lb.Port
	turn    atomic.Uint64
	slots   chan struct{} // one taken for every open connection
	problem atomic.Pointer[Problem]
	open    atomic.Pointer[net.Listener] // nil while it does not listen
	// shedding is nil until a connection was closed for there were too many.
	shedding atomic.Pointer[shedding]

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
}

func newPort(p *Proxy, key lb.Port) *port {
	l := &port{proxy: p, key: key, slots: make(chan struct{}, p.cfg.MaxConns), done: make(chan struct{})}
	l.turn.Store(firstTurn(p.cfg.NodeID, key))
	l.ctx, l.cancel = context.WithCancel(p.ctx)
	return l
}

// close stops listening and returns when the port is free.
func (l *port) close() {
	l.cancel()
	<-l.done
}

// run listens, again and again until it works, and accepts until the port is closed.
func (l *port) run() {
	defer close(l.done)
	pause := minListenPause
	for {
		ln, err := l.listen()
		if err == nil {
			l.recovered()
			l.open.Store(&ln)
			l.accept(ln)
			l.open.Store(nil)
			return
		}
		if l.ctx.Err() != nil {
			return
		}
		l.failed(explainListen(l.key, l.proxy.cfg.BindAddr, err), err)
		if !wait(l.ctx, pause) {
			return
		}
		pause = min(2*pause, maxListenPause)
	}
}

func (l *port) listen() (net.Listener, error) {
	address := net.JoinHostPort(l.proxy.cfg.BindAddr, strconv.Itoa(int(l.key.Number)))
	if l.key.Protocol == lb.UDP {
		if listen := l.proxy.cfg.ListenUDP; listen != nil {
			if conn := listen(address); conn != nil {
				return newPackets(conn), nil
			}
		}
		return listenPackets(l.ctx, address)
	}
	if listen := l.proxy.cfg.Listen; listen != nil {
		if ln, err := listen("tcp", address); ln != nil || err != nil {
			return ln, err
		}
	}
	cfg := net.ListenConfig{KeepAliveConfig: keepAlive}
	return cfg.Listen(l.ctx, "tcp", address)
}

// accept starts a session for every client, as many at once as there are slots.
func (l *port) accept(ln net.Listener) {
	stop := context.AfterFunc(l.ctx, func() { _ = ln.Close() }) // nothing was written
	defer func() {
		if stop() {
			_ = ln.Close()
		}
	}()
	for {
		if !l.take(l.slots, explainFull) {
			return
		}
		client, err := ln.Accept()
		if err != nil {
			<-l.slots
			if errors.Is(err, net.ErrClosed) {
				return
			}
			l.failed(explainAccept(l.key, err), err)
			if !wait(l.ctx, acceptPause) {
				return
			}
			continue
		}
		// Not before there is a client, or ports that nobody calls would take
		// the others' places.
		if !l.take(l.proxy.slots, explainAllFull) {
			<-l.slots
			resetConn(client)
			return
		}
		l.recovered()
		turn := l.turn.Add(1)
		l.proxy.wg.Go(func() {
			defer l.leave()
			l.proxy.serve(client, l, turn)
		})
	}
}

// take waits until one more connection may be open; it returns false when the
// port is closed first. There is no limit to nil slots.
func (l *port) take(slots chan struct{}, full func(port lb.Port, limit int) string) bool {
	if slots == nil {
		return true
	}
	select {
	case slots <- struct{}{}:
		return true
	default:
	}
	l.failed(full(l.key, cap(slots)), nil)
	select {
	case slots <- struct{}{}:
		l.recovered()
		return true
	case <-l.ctx.Done():
		return false
	}
}

// leave gives back what a connection took.
func (l *port) leave() {
	<-l.slots
	if l.proxy.slots != nil {
		<-l.proxy.slots
	}
}

// failed records what is wrong and logs it once.
func (l *port) failed(message string, err error) {
	prev := l.problem.Load()
	next := &Problem{Port: l.key, Message: message, Since: time.Now(), Err: err}
	if prev != nil {
		next.Since = prev.Since
	}
	l.problem.Store(next)
	if prev == nil || prev.Message != message {
		l.proxy.log.Warn("published port does not serve as it should", "problem", message)
	}
}

func (l *port) recovered() {
	if l.problem.Load() != nil {
		l.problem.Store(nil)
		l.proxy.log.Info("published port serves again", "port", l.key.Number)
	}
}

// wait returns false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
