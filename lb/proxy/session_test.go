package proxy

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
)

func TestDeadBackendIsSkippedUnseen(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	p.Set(table(1, port, backend(1, deadAddr(t)), backend(2, serve(t, say("b"))), backend(3, serve(t, say("c")))))
	const n = 12
	for range n {
		if word, err := ask(t, port); word != "b" && word != "c" || err != nil {
			t.Fatalf("got %q, %v", word, err)
		}
	}
	s := stats(t, p)
	if s.Connections != n || s.Unserved != 0 || s.DialFailures == 0 || s.DialFailures >= n/3 {
		t.Errorf("got %+v, want the dead backend to be tried, and not every third time", s)
	}
}

func TestNoBackend(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	for i, backends := range [][]lb.Backend{nil, {backend(1, deadAddr(t)), backend(2, deadAddr(t))}} {
		p.Set(table(uint64(i+1), port, backends...))
		if _, err := ask(t, port); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("with %d dead backends the client saw %v, want a reset", len(backends), err)
		}
	}
	waitForStats(t, p, ServiceStats{Connections: 2, Unserved: 2, DialFailures: 2})
}

func TestEjectedBackendIsTheLastResort(t *testing.T) {
	p, port, addr := start(t, Config{}), freePort(t), deadAddr(t)
	p.Set(table(1, port, backend(1, addr)))
	if _, err := ask(t, port); err == nil {
		t.Fatal("a dead backend answered")
	}
	accept(t, listen(t, addr.String()), say("alive"))
	if word, err := ask(t, port); word != "alive" || err != nil {
		t.Errorf("got %q, %v from a port whose only backend failed a moment ago", word, err)
	}
}

// fakeDialer fails as told and notes the attempts.
type fakeDialer struct {
	mu    sync.Mutex
	tried []string
	fail  map[netip.AddrPort]error
}

func (d *fakeDialer) dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tried = append(d.tried, addr.String())
	if err := d.fail[addr]; err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	return dialTCP(ctx, addr)
}

func (d *fakeDialer) attempts() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tried
}

func TestSilentHostIsTriedOnce(t *testing.T) {
	d := &fakeDialer{fail: map[netip.AddrPort]error{}}
	p := start(t, Config{Dial: d.dial})
	var silent []lb.Backend
	for i := range 3 { // on one host
		b := backend(1, netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(i+1)))
		b.Task = cluster.TaskID("T1-" + itoa(b.Addr.Port()))
		d.fail[b.Addr] = os.ErrDeadlineExceeded
		silent = append(silent, b)
	}
	alive := backend(2, serve(t, echo))
	client, far := net.Pipe()
	defer far.Close()

	f := table(1, 80, append(silent, alive)...).Frontends[0]
	first := func(f *lb.Frontend) *session {
		a := &attempt{p: p, client: client, frontend: f, count: &counters{}}
		return a.connect(p.pick(p.now.Load(), client, lb.Port{}, 0))
	}
	s := first(&f)
	if s == nil || s.backend != alive {
		t.Fatalf("got %v, want the backend on the other host", s)
	}
	defer s.reset()
	if diff := cmp.Diff([]string{silent[0].Addr.String(), alive.Addr.String()}, d.attempts()); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}

	d.tried = nil
	f = table(2, 80, silent...).Frontends[0]
	if s := first(&f); s != nil {
		t.Fatal("a silent host answered")
	}
	want := []string{silent[1].Addr.String(), silent[2].Addr.String(), silent[0].Addr.String()}
	if diff := cmp.Diff(want, d.attempts()); diff != "" {
		t.Errorf("attempts with nothing else left (-want +got):\n%s", diff)
	}
}

func TestOwnShortageIsNotBlamedOnTheBackend(t *testing.T) {
	addr := serve(t, say("a"))
	d := &fakeDialer{fail: map[netip.AddrPort]error{addr: os.NewSyscallError("socket", syscall.EMFILE)}}
	p, port := start(t, Config{Dial: d.dial}), freePort(t)
	p.Set(table(1, port, backend(1, addr)))
	if _, err := ask(t, port); err == nil {
		t.Fatal("connected without a descriptor")
	}
	waitFor(t, "the failure", func() bool { return stats(t, p).Unserved == 1 })
	if !p.health.load().Empty() {
		t.Error("the backend is suspect")
	}
}

func TestHalfCloseOfTheClient(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	p.Set(table(1, port, backend(1, serve(t, func(c *net.TCPConn) {
		b, err := io.ReadAll(c)
		if err == nil {
			_, _ = io.WriteString(c, "read "+string(b))
		}
	}))))
	c := dial(t, port)
	if _, err := io.WriteString(c, "all of it"); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); string(b) != "read all of it" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestHalfCloseOfTheServer(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	heard := make(chan string, 1)
	p.Set(table(1, port, backend(1, serve(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "that is all")
		_ = c.CloseWrite()
		b, err := io.ReadAll(c)
		if err != nil {
			b = []byte(err.Error())
		}
		heard <- string(b)
	}))))
	c := dial(t, port)
	if b, err := io.ReadAll(c); string(b) != "that is all" || err != nil {
		t.Fatalf("got %q, %v", b, err)
	}
	if _, err := io.WriteString(c, "thanks"); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if got := <-heard; got != "thanks" {
		t.Errorf("the server heard %q", got)
	}
}

func TestResetOfTheServerReachesTheClient(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	p.Set(table(1, port, backend(1, serve(t, func(c *net.TCPConn) {
		_, _ = io.ReadFull(c, make([]byte, 1))
		_ = c.SetLinger(0)
	}))))
	c := dial(t, port)
	if _, err := io.WriteString(c, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client saw %v, want a reset", err)
	}
}

func TestResetOfTheClientReachesTheServer(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	saw := make(chan error, 1)
	p.Set(table(1, port, backend(1, serve(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "y")
		_ = c.CloseWrite() // the other direction has ended, which must not hide the reset
		_, err := io.ReadAll(c)
		saw <- err
	}))))
	c := dial(t, port)
	if _, err := io.WriteString(c, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := c.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := <-saw; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server saw %v, want a reset", err)
	}
}

func TestLargeBodyIsIntact(t *testing.T) {
	const size = 64<<20 + 12345
	p, port := start(t, Config{}), freePort(t)
	p.Set(table(1, port, backend(1, serve(t, echo))))
	c := dial(t, port)
	sent, got := sha256.New(), sha256.New()
	wrote := make(chan error, 1)
	go func() {
		body := io.LimitReader(rand.NewChaCha8([32]byte{7}), size)
		_, err := io.Copy(c, io.TeeReader(body, sent))
		wrote <- errors.Join(err, c.CloseWrite())
	}()
	n, err := io.Copy(got, c)
	if err := errors.Join(err, <-wrote); err != nil {
		t.Fatal(err)
	}
	if n != size || string(got.Sum(nil)) != string(sent.Sum(nil)) {
		t.Errorf("%d bytes came back of %d, equal: %v", n, size, string(got.Sum(nil)) == string(sent.Sum(nil)))
	}
	waitForStats(t, p, ServiceStats{Connections: 1, BytesIn: size, BytesOut: size})
}

// Without half-close and outside the kernel's fast path: a connection that is
// not TCP.
func TestOtherConnections(t *testing.T) {
	addr := serve(t, say("through a wrapper"))
	p, port := start(t, Config{Dial: func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
		c, err := dialTCP(ctx, a)
		return struct{ net.Conn }{c}, err
	}}), freePort(t)
	p.Set(table(1, port, backend(1, addr)))
	if word, err := ask(t, port); word != "through a wrapper" || err != nil {
		t.Errorf("got %q, %v", word, err)
	}
}
