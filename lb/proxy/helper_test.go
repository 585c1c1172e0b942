package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const service = cluster.ServiceID("shop/web")

// patience bounds every wait of a test; it is no measure of speed.
const patience = 20 * time.Second

func start(t testing.TB, cfg Config) *Proxy {
	t.Helper()
	if cfg.BindAddr == "" {
		cfg.BindAddr = "127.0.0.1"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Drain == 0 {
		cfg.Drain = 10 * time.Millisecond
	}
	p := New(cfg)
	t.Cleanup(p.Close)
	return p
}

// serve runs handle for every connection to a new loopback listener.
func serve(t testing.TB, handle func(*net.TCPConn)) netip.AddrPort {
	t.Helper()
	ln := listen(t, "127.0.0.1:0")
	accept(t, ln, handle)
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

func listen(t testing.TB, addr string) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func accept(t testing.TB, ln net.Listener, handle func(*net.TCPConn)) {
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		ln.Close()
		cancel()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				stop := context.AfterFunc(ctx, func() { c.Close() })
				defer stop()
				defer c.Close()
				handle(c.(*net.TCPConn))
			})
		}
	})
}

func echo(c *net.TCPConn) {
	if _, err := io.Copy(c, c); err == nil {
		_ = c.CloseWrite()
	}
}

// say answers every connection with a word.
func say(word string) func(*net.TCPConn) {
	return func(c *net.TCPConn) { _, _ = io.WriteString(c, word) }
}

// freePort is a port that nobody listened on a moment ago.
func freePort(t testing.TB) uint16 {
	t.Helper()
	ln := listen(t, "127.0.0.1:0")
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).AddrPort().Port()
}

// deadAddr is an address that refuses connections.
func deadAddr(t testing.TB) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), freePort(t))
}

// backend is number i of a service, on node "N<i>".
func backend(i int, addr netip.AddrPort) lb.Backend {
	return lb.Backend{Task: cluster.TaskID(fmt.Sprintf("T%d", i)), Node: cluster.NodeID(fmt.Sprintf("N%d", i)), Addr: addr}
}

func table(index uint64, port uint16, backends ...lb.Backend) *lb.Table {
	in := lb.Input{Epoch: 1, Index: index}
	if port != 0 {
		p := lb.Port{Protocol: lb.TCP, Number: port}
		in.Services = []lb.ServicePorts{{Service: service, Ports: []lb.Port{p}}}
		for _, b := range backends {
			in.Endpoints = append(in.Endpoints, lb.Endpoint{Service: service, Port: p, Task: b.Task, Node: b.Node, Address: b.Addr})
		}
	}
	return lb.Build(in)
}

func down(t *lb.Table, nodes ...cluster.NodeID) *lb.Table {
	next := *t
	next.Down = nodes
	return &next
}

// connect connects to a published port, waiting until it is listened on. A
// client that is reset at once may see that already here.
func connect(t testing.TB, port uint16) (*net.TCPConn, error) {
	t.Helper()
	var c net.Conn
	var err error
	waitFor(t, "the port to be listened on", func() bool {
		c, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		return !errors.Is(err, syscall.ECONNREFUSED)
	})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn), c.SetDeadline(time.Now().Add(patience))
}

func dial(t testing.TB, port uint16) *net.TCPConn {
	t.Helper()
	c, err := connect(t, port)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ask reads all that a new connection to a published port says.
func ask(t testing.TB, port uint16) (string, error) {
	t.Helper()
	c, err := connect(t, port)
	if err != nil {
		return "", err
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	return string(b), err
}

// pingPong sends a word to an echo server and reads it back.
func pingPong(t testing.TB, c net.Conn, word string) {
	t.Helper()
	if _, err := io.WriteString(c, word); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(word))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	if string(got) != word {
		t.Fatalf("echo of %q is %q", word, got)
	}
}

func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// waitForStats waits until the service's counters are as wanted.
func waitForStats(t testing.TB, p *Proxy, want ServiceStats) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("counters (-want +got):\n%s", cmp.Diff(want, stats(t, p)))
		}
	}()
	want.Service = service
	waitFor(t, "the counters", func() bool { return stats(t, p) == want })
}

func stats(t testing.TB, p *Proxy) ServiceStats {
	t.Helper()
	for _, s := range p.Stats() {
		if s.Service == service {
			return s
		}
	}
	return ServiceStats{}
}
