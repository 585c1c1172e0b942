package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/security"
)

func TestUsersWaitAndNodesDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission()
		user := route{access: security.LocalAdmin, where: leader}
		var leave []func()
		for range maxUserCalls {
			l, err := a.admit(t.Context(), user)
			if err != nil {
				t.Fatal(err)
			}
			leave = append(leave, l)
		}

		began := time.Now()
		for name, rt := range map[string]route{
			"a heartbeat": {access: security.AnyNode, where: leader},
			"a promotion": {access: security.Voter, where: here},
			"a feed":      {access: security.AnyNode, where: here, stream: true},
			"a join":      {access: security.Public, where: leader},
			"a look":      {access: security.LocalAdmin, where: idle},
			"a log":       {access: security.LocalAdmin, where: fresh, stream: true},
		} {
			if l, err := a.admit(t.Context(), rt); err != nil {
				t.Errorf("%s: %v", name, err)
			} else {
				l()
			}
		}
		if time.Since(began) > 0 {
			t.Error("they waited")
		}

		var e *api.Error
		if _, err := a.admit(t.Context(), user); !errors.As(err, &e) || e.Code != api.CodeUnavailable || time.Since(began) != userPatience {
			t.Errorf("one too many, after %s: %v", time.Since(began), err)
		}
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.admit(gone, user); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("whose caller is gone: %v", err)
		}
		entered := make(chan error)
		go func() {
			l, err := a.admit(t.Context(), user)
			if err == nil {
				defer l()
			}
			entered <- err
		}()
		synctest.Wait()
		leave[0]()
		if err := <-entered; err != nil {
			t.Errorf("one that waited for a place: %v", err)
		}
	})
}

func TestTooManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission()
		user := route{access: security.LocalAdmin, where: leader}
		var flood sync.WaitGroup
		var mu sync.Mutex
		var served, refusedAtOnce, refusedLate int
		for range maxUserCalls + maxUserWaiting + 100 {
			flood.Go(func() {
				began := time.Now()
				_, err := a.admit(t.Context(), user) // and never leaves
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					served++
				case time.Since(began) == 0:
					refusedAtOnce++
				default:
					refusedLate++
				}
			})
		}
		flood.Wait()
		if served != maxUserCalls || refusedLate != maxUserWaiting || refusedAtOnce != 100 {
			t.Errorf("%d served, %d refused at once, %d after a wait", served, refusedAtOnce, refusedLate)
		}
	})
}

// A reader that takes nothing is cut off, and its call ends.
func TestStuckReaderIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			l := (&call{w: w}).lines()
			for {
				if err := l.send(strings.Repeat("x", 1000)); err != nil {
					ended <- err
					return
				}
			}
		})}
		client, server := net.Pipe()
		l := &oneConn{conn: server, done: make(chan struct{})}
		var serving sync.WaitGroup
		serving.Go(func() { _ = srv.Serve(l) })
		if _, err := client.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := <-ended; err == nil || time.Since(began) != stuckAfter {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		_ = client.Close()
		_ = srv.Close()
		_ = l.Close()
		serving.Wait()
	})
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn net.Conn
	once sync.Once
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
