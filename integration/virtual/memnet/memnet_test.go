package memnet

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const ipA, ipB = "10.0.0.1", "10.0.0.2"

// two is a network of two hosts; b listens and every test begins with a
// connection from a.
type two struct {
	*testing.T
	net       *Network
	ha, hb    *Host
	a, b      *Process
	l         net.Listener
	near, far net.Conn
}

func bubble(t *testing.T, f func(w *two)) {
	synctest.Test(t, func(t *testing.T) {
		w := &two{T: t, net: New()}
		w.ha, w.hb = w.net.Host(ipA), w.net.Host(ipB)
		w.a = w.ha.Process()
		w.serve()
		w.near, w.far = w.connect()
		f(w)
	})
}

func (w *two) serve() {
	w.b = w.hb.Process()
	var err error
	if w.l, err = w.b.Listen("tcp", ":7070"); err != nil {
		w.Fatal(err)
	}
}

func (w *two) connect() (near, far net.Conn) {
	near, err := w.dial(time.Minute)
	if err != nil {
		w.Fatal(err)
	}
	if far, err = w.l.Accept(); err != nil {
		w.Fatal(err)
	}
	return near, far
}

func (w *two) dial(limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(w.Context(), limit)
	defer cancel()
	return w.a.Dial(ctx, "tcp", w.hb.IP()+":7070")
}

// got reads until the limit and returns what came and why it ended.
func got(c net.Conn, limit time.Duration) (string, error) {
	_ = c.SetReadDeadline(time.Now().Add(limit))
	b, err := io.ReadAll(c)
	return string(b), err
}

func say(w *two, c net.Conn, words string) {
	w.Helper()
	if n, err := c.Write([]byte(words)); err != nil || n != len(words) {
		w.Fatalf("write %q: %d, %v", words, n, err)
	}
}

func TestDataAndEndArriveInOrder(t *testing.T) {
	bubble(t, func(w *two) {
		start := time.Now()
		say(w, w.near, "one ")
		say(w, w.near, "two")
		_ = w.near.Close()
		if s, err := got(w.far, time.Minute); s != "one two" || err != nil {
			w.Errorf("got %q, %v", s, err)
		}
		if took := time.Since(start); took != Latency {
			w.Errorf("it took %s", took)
		}
		if _, err := w.near.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			w.Errorf("write after close: %v", err)
		}
	})
}

func TestBigWriteWaitsForItsReader(t *testing.T) {
	bubble(t, func(w *two) {
		big := make([]byte, 4*window)
		_ = w.near.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := w.near.Write(big); n != window || !errors.Is(err, os.ErrDeadlineExceeded) {
			w.Errorf("wrote %d, %v; nobody reads", n, err)
		}
		_ = w.near.SetWriteDeadline(time.Time{})
		go func() {
			_, _ = w.near.Write(big)
			_ = w.near.Close()
		}()
		if s, err := got(w.far, time.Minute); len(s) != 5*window || err != nil {
			w.Errorf("read %d, %v", len(s), err)
		}
	})
}

func TestWhoAnswersADial(t *testing.T) {
	for name, c := range map[string]struct {
		harm  func(w *two)
		want  error
		after time.Duration
	}{
		"program ended":  {func(w *two) { w.b.Kill() }, syscall.ECONNREFUSED, 2 * Latency},
		"nobody listens": {func(w *two) { _ = w.l.Close() }, syscall.ECONNREFUSED, 2 * Latency},
		"host dead":      {func(w *two) { w.hb.Kill() }, os.ErrDeadlineExceeded, 500 * time.Millisecond},
		"way cut":        {func(w *two) { w.net.Cut(ipA, ipB) }, os.ErrDeadlineExceeded, 500 * time.Millisecond},
		"way back cut":   {func(w *two) { w.net.Cut(ipB, ipA) }, os.ErrDeadlineExceeded, 500 * time.Millisecond},
		"own host dead":  {func(w *two) { w.ha.Kill() }, net.ErrClosed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *two) {
				c.harm(w)
				start := time.Now()
				_, err := w.dial(500 * time.Millisecond)
				if !errors.Is(err, c.want) || time.Since(start) != c.after {
					w.Errorf("%v after %s, want %v after %s", err, time.Since(start), c.want, c.after)
				}
			})
		})
	}
}

func TestDialSucceedsOnceTheHostIsBack(t *testing.T) {
	bubble(t, func(w *two) {
		w.net.Cut(ipA, ipB)
		time.AfterFunc(2*time.Second, func() { w.net.Mend(ipA, ipB) })
		start := time.Now()
		if _, err := w.dial(time.Minute); err != nil || time.Since(start) > 4*time.Second {
			w.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestKilledProgramEndsItsConnections(t *testing.T) {
	bubble(t, func(w *two) {
		say(w, w.far, "last words")
		w.b.Kill()
		if s, err := got(w.near, time.Minute); s != "last words" || err != nil {
			w.Errorf("got %q, %v", s, err)
		}
		if _, err := w.far.Read(nil); !errors.Is(err, net.ErrClosed) {
			w.Errorf("the killed program reads: %v", err)
		}
		if _, err := w.l.Accept(); !errors.Is(err, net.ErrClosed) {
			w.Errorf("the killed program accepts: %v", err)
		}
		w.serve()
		w.connect()
	})
}

func TestDeadHostIsSilent(t *testing.T) {
	bubble(t, func(w *two) {
		say(w, w.far, "lost")
		w.hb.Kill()
		if s, err := got(w.near, time.Hour); s != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
			w.Errorf("got %q, %v", s, err)
		}
		w.hb.Boot()
		if s, err := got(w.near, time.Hour); s != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
			w.Errorf("after the host's return: %q, %v", s, err)
		}
		say(w, w.near, "who are you?")
		if _, err := got(w.near, time.Second); !errors.Is(err, syscall.ECONNRESET) {
			w.Errorf("the booted host knows the connection: %v", err)
		}
	})
}

func TestUnacknowledgedDataBreaksADialledConnection(t *testing.T) {
	bubble(t, func(w *two) {
		w.net.Cut(ipB, ipA)
		say(w, w.near, "hello")
		start := time.Now()
		_, err := got(w.near, time.Hour)
		if !errors.Is(err, syscall.ETIMEDOUT) || time.Since(start) != UserTimeout {
			w.Errorf("%v after %s", err, time.Since(start))
		}
		if s, _ := got(w.far, time.Second); s != "hello" {
			w.Errorf("the other way works, yet it carried %q", s)
		}
	})
}

func TestDataOutlivesAShortCut(t *testing.T) {
	bubble(t, func(w *two) {
		w.net.Cut(ipA, ipB)
		say(w, w.near, "late")
		time.AfterFunc(time.Second, func() { w.net.Mend(ipA, ipB) })
		start := time.Now()
		b := make([]byte, 10)
		n, err := w.far.Read(b)
		if string(b[:n]) != "late" || err != nil || time.Since(start) < time.Second {
			w.Errorf("%q, %v after %s", b[:n], err, time.Since(start))
		}
	})
}

func TestAnAcceptedConnectionWaitsLong(t *testing.T) {
	bubble(t, func(w *two) {
		w.net.Cut(ipB, ipA)
		say(w, w.far, "hello")
		if _, err := got(w.far, time.Minute); !errors.Is(err, os.ErrDeadlineExceeded) {
			w.Errorf("it broke: %v", err)
		}
	})
}

func TestHostMoves(t *testing.T) {
	bubble(t, func(w *two) {
		w.hb.Move("10.0.0.9")
		say(w, w.near, "hello")
		if _, err := got(w.near, time.Minute); !errors.Is(err, syscall.ETIMEDOUT) {
			w.Errorf("the old address answers: %v", err)
		}
		w.connect()
	})
}

func TestUnixSocketsStayOnTheirHost(t *testing.T) {
	bubble(t, func(w *two) {
		l, err := w.b.Listen("unix", "/run/x.sock")
		if err != nil {
			w.Fatal(err)
		}
		if _, err := w.a.Dial(w.Context(), "unix", "/run/x.sock"); !errors.Is(err, syscall.ENOENT) {
			w.Errorf("from another host: %v", err)
		}
		c, err := w.hb.Process().Dial(w.Context(), "unix", "/run/x.sock")
		if err != nil {
			w.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			w.Fatal(err)
		}
		say(w, c, "ping")
		_ = c.Close()
		if words, err := got(s, time.Second); words != "ping" || err != nil {
			w.Errorf("got %q, %v", words, err)
		}
		if _, err := w.b.Listen("unix", "/run/x.sock"); !errors.Is(err, syscall.EADDRINUSE) {
			w.Errorf("a second listener: %v", err)
		}
	})
}
