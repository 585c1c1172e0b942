package peer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// beats carries the calls of the class Beat to one node: HTTP/1.1, written and
// read by the caller's own goroutine. http.Transport passes each call through two
// more, and every change between them costs a host at rest as much as the call.
type beats struct {
	dial func(ctx context.Context) (net.Conn, error)
	max  int64 // bytes of an answer

	mu     sync.Mutex
	idle   []*line
	closed bool // no connection is kept any more
}

// line is a connection that carries one call at a time.
type line struct {
	net.Conn
	in     *bufio.Reader
	out    *bufio.Writer
	expire *time.Timer // while idle
}

// Close closes without a word, which could take its time.
func (l *line) Close() error {
	if t, ok := l.Conn.(*tls.Conn); ok {
		return t.NetConn().Close()
	}
	return l.Conn.Close()
}

// RoundTrip implements http.RoundTripper. A call that a kept connection lost, as
// its other end was started anew, goes out once more: it may arrive twice.
func (b *beats) RoundTrip(req *http.Request) (*http.Response, error) {
	if l := b.take(); l != nil {
		resp, err := b.over(l, req)
		if err == nil || req.Context().Err() != nil {
			return resp, err
		}
		if req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			req.Body = body
		}
	}
	conn, err := b.dial(req.Context())
	if err != nil {
		return nil, err
	}
	return b.over(&line{Conn: conn, in: bufio.NewReader(conn), out: bufio.NewWriter(conn)}, req)
}

// over makes one call on a connection, and keeps that if it may be used again.
func (b *beats) over(l *line, req *http.Request) (*http.Response, error) {
	past := time.Unix(1, 0)
	release := context.AfterFunc(req.Context(), func() { _ = l.SetDeadline(past) })
	resp, err := l.call(req, b.max)
	whole := release()
	if err != nil {
		_ = l.Close()
		if !whole {
			err = context.Cause(req.Context())
		}
		return nil, err
	}
	if whole && !resp.Close {
		b.keep(l)
	} else {
		_ = l.Close()
	}
	return resp, nil
}

// call reads the whole answer, so that the connection is free when it returns.
func (l *line) call(req *http.Request, most int64) (*http.Response, error) {
	if err := req.Write(l.out); err != nil {
		return nil, err
	}
	if err := l.out.Flush(); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(l.in, req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(&bounded{resp.Body, most})
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// take is the connection that was used last, if there is one.
func (b *beats) take() *line {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.idle) > 0 {
		l := b.idle[len(b.idle)-1]
		b.idle = b.idle[:len(b.idle)-1]
		if l.expire.Stop() {
			return l
		}
	}
	return nil
}

func (b *beats) keep(l *line) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		_ = l.Close()
		return
	}
	if l.expire == nil {
		l.expire = time.AfterFunc(idleTimeout, func() { _ = l.Close() })
	} else {
		l.expire.Reset(idleTimeout)
	}
	b.idle = append(b.idle, l)
}

// CloseIdleConnections keeps no connection from now on.
func (b *beats) CloseIdleConnections() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, l := range b.idle {
		l.expire.Stop()
		_ = l.Close()
	}
	b.idle = nil
}
