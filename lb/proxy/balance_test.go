package proxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/pires/go-proxyproto"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
)

// balanced is a table whose service is balanced so.
func balanced(index uint64, port uint16, b cluster.Balance, backends ...lb.Backend) *lb.Table {
	t := table(index, port, backends...)
	t.Frontends[0].Balance = b
	return t
}

// hold keeps a connection until the client ends it.
func hold(c *net.TCPConn) {
	_, _ = io.WriteString(c, "!")
	_, _ = io.Copy(io.Discard, c)
}

// held is a connection that has reached its backend.
func held(t *testing.T, port uint16) *net.TCPConn {
	t.Helper()
	c := dial(t, port)
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConnectionsBeyondTheLimitAreClosed(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	p.Set(balanced(1, port, cluster.Balance{Connections: 2}, backend(1, serve(t, hold))))
	one, _ := held(t, port), held(t, port)
	if _, err := ask(t, port); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("the third of two saw %v, want a reset", err)
	}
	waitFor(t, "the counters", func() bool {
		s := stats(t, p)
		return s.Connections == 3 && s.Shed == 1 && s.Active == 2 && s.Unserved == 0
	})
	if pr := p.Problems(); len(pr) != 1 || !strings.Contains(pr[0].Message, "shop/web has 2 open on this node") {
		t.Errorf("problems: %v", pr)
	}
	one.Close()
	waitFor(t, "the first to end", func() bool { return stats(t, p).Active == 1 })
	held(t, port)

	// The limit holds for those that come after it.
	p.Set(balanced(2, port, cluster.Balance{}, backend(1, serve(t, hold))))
	held(t, port)
}

func TestShortNodeShedsWhatMayDegrade(t *testing.T) {
	p := start(t, Config{MaxTotal: 4})
	first, second := freePort(t), freePort(t)
	other := lb.Port{Protocol: lb.TCP, Number: second}
	at := serve(t, hold)
	table := lb.Build(lb.Input{
		Epoch: 1, Index: 1,
		Services: []lb.ServicePorts{
			{Service: service, Ports: []lb.Port{{Protocol: lb.TCP, Number: first}}},
			{Service: "shop/extra", Ports: []lb.Port{other}, Balance: cluster.Balance{Degrade: true}},
		},
		Endpoints: []lb.Endpoint{
			{Service: service, Port: lb.Port{Protocol: lb.TCP, Number: first}, Task: "T1", Node: "N1", Address: at},
			{Service: "shop/extra", Port: other, Task: "T2", Node: "N1", Address: at},
		},
	})
	p.Set(table)
	held(t, first)
	held(t, second).Close() // half of the node's is no shortage
	waitFor(t, "its end", func() bool { return len(p.slots) == 1 })
	held(t, first)
	held(t, first)
	if _, err := ask(t, second); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("with three of four open it saw %v, want a reset", err)
	}
	if pr := p.Problems(); len(pr) != 1 || pr[0].Port != other || !strings.Contains(pr[0].Message, "shop/extra is to give way") {
		t.Errorf("problems: %v", pr)
	}
	held(t, first) // the others are served
}

func TestBackendLearnsTheClientsAddress(t *testing.T) {
	told := make(chan string, 1)
	at := serve(t, func(c *net.TCPConn) {
		in := bufio.NewReader(c)
		h, err := proxyproto.Read(in)
		if err != nil || h.Version != 2 || h.Command != proxyproto.PROXY {
			told <- "no header"
			return
		}
		told <- h.SourceAddr.String() + " to " + h.DestinationAddr.String()
		_, _ = io.Copy(c, in)
	})
	for _, bind := range []string{"127.0.0.1", "::"} { // IPv4's socket, and that of both families
		t.Run(bind, func(t *testing.T) {
			p, port := start(t, Config{BindAddr: bind}), freePort(t)
			p.Set(balanced(1, port, cluster.Balance{ProxyProtocol: cluster.ProxyProtocolV2}, backend(1, deadAddr(t)), backend(2, at)))
			c := dial(t, port)
			pingPong(t, c, "after the header")
			if got, want := <-told, c.LocalAddr().String()+" to "+c.RemoteAddr().String(); got != want {
				t.Errorf("the backend was told %s, want %s", got, want)
			}
		})
	}
}

// A task that takes connections and answers none, as one that is stopped by a
// signal does, fills up and is left alone.
func TestLeastRequestAvoidsAStuckBackend(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	stuck := listen(t, "127.0.0.1:0") // its kernel accepts for it
	defer stuck.Close()
	backends := []lb.Backend{backend(1, netip.MustParseAddrPort(stuck.Addr().String()))}
	for i := 2; i <= 4; i++ {
		backends = append(backends, backend(i, serve(t, say("alive"))))
	}
	p.Set(balanced(1, port, cluster.Balance{Policy: cluster.LeastRequest}, backends...))
	for i := range 40 {
		if err := dial(t, port).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the others to answer", func() bool {
			s := stats(t, p)
			return s.Connections == uint64(i+1) && s.Active == int64(p.open.count(backends[0]))
		})
	}
	if got := p.open.count(backends[0]); got > 1 {
		t.Errorf("%d connections wait for the task that is stuck", got)
	}
}
