package proxy

import (
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/lb"
)

func TestConnectionsGoRound(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	p.Set(table(1, port, backend(1, serve(t, say("a"))), backend(2, serve(t, say("b"))), backend(3, serve(t, say("c")))))
	got := map[string]int{}
	for range 9 {
		word, err := ask(t, port)
		if err != nil {
			t.Fatal(err)
		}
		got[word]++
	}
	if diff := cmp.Diff(map[string]int{"a": 3, "b": 3, "c": 3}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestSetIgnoresOlderTables(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	p.Set(table(2, port, backend(1, serve(t, say("new")))))
	p.Set(table(1, port, backend(1, serve(t, say("old")))))
	p.Set(table(2, port, backend(1, serve(t, say("same index")))))
	if word, err := ask(t, port); word != "new" || err != nil {
		t.Errorf("got %q, %v", word, err)
	}
}

func TestTableSwapKeepsConnections(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	p.Set(table(1, port, backend(1, serve(t, echo))))
	old := dial(t, port)
	pingPong(t, old, "before")

	p.Set(table(2, port, backend(2, serve(t, say("second")))))
	if word, err := ask(t, port); word != "second" || err != nil {
		t.Errorf("a new connection got %q, %v", word, err)
	}
	pingPong(t, old, "after")
}

func TestPortLeavesTheTable(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	p.Set(table(1, port, backend(1, serve(t, echo))))
	old := dial(t, port)
	pingPong(t, old, "before")

	p.Set(table(2, 0))
	waitFor(t, "the port to be closed", func() bool {
		c, err := net.Dial("tcp", old.RemoteAddr().String())
		if err == nil {
			c.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	pingPong(t, old, "after")

	p.Set(table(3, port, backend(1, serve(t, say("again")))))
	if word, err := ask(t, port); word != "again" || err != nil {
		t.Errorf("the reopened port gave %q, %v", word, err)
	}
}

func TestNodeDownEndsItsConnectionsOnly(t *testing.T) {
	p, port := start(t, Config{NodeID: "N3"}), freePort(t)
	first := table(1, port, backend(1, serve(t, echo)), backend(2, serve(t, echo)), backend(3, serve(t, echo)))
	p.Set(first)
	var conns []net.Conn
	for range 3 {
		c := dial(t, port)
		pingPong(t, c, "hello")
		conns = append(conns, c)
	}
	// N3 is the proxy's own node: that the cluster has lost it kills no local task.
	p.Set(down(table(2, port, backend(2, first.Frontends[0].Backends[1].Addr)), "N1", "N3"))

	waitFor(t, "one connection to end", func() bool { return stats(t, p).Active == 2 })
	reset := 0
	for _, c := range conns {
		_, err := io.WriteString(c, "x")
		if err == nil {
			_, err = io.ReadFull(c, make([]byte, 1))
		}
		if err != nil {
			reset++
			if errors.Is(err, io.EOF) {
				t.Error("the client saw a regular end of a connection that was cut")
			}
		}
	}
	if reset != 1 {
		t.Errorf("%d connections were cut, want the one to N1", reset)
	}
}

func TestPortInUseIsReportedAndRetried(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	other := listen(t, "127.0.0.1:"+itoa(port))
	defer other.Close()
	free := freePort(t)
	tbl := lb.Build(lb.Input{Epoch: 1, Index: 1, Services: []lb.ServicePorts{
		{Service: service, Ports: []lb.Port{{Protocol: lb.TCP, Number: port}, {Protocol: lb.TCP, Number: free}}},
	}})
	p.Set(tbl)
	waitFor(t, "a problem", func() bool { return len(p.Problems()) > 0 })
	problem := p.Problems()[0]
	want := "port " + itoa(port) + " is in use by another process on this node"
	if problem.Port.Number != port || !strings.HasPrefix(problem.Message, want) || !errors.Is(problem.Err, syscall.EADDRINUSE) {
		t.Errorf("got %+v, want %q", problem, want)
	}
	if _, err := ask(t, free); errors.Is(err, syscall.ECONNREFUSED) {
		t.Error("the other port is held up")
	}

	other.Close()
	waitFor(t, "the port to be taken over", func() bool { return len(p.Problems()) == 0 })
	p.Set(table(2, port, backend(1, serve(t, say("ours")))))
	if word, err := ask(t, port); word != "ours" || err != nil {
		t.Errorf("got %q, %v", word, err)
	}
}

func TestPortInUseLeavesTheTable(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	other := listen(t, "127.0.0.1:"+itoa(port))
	defer other.Close()
	p.Set(table(1, port))
	waitFor(t, "a problem", func() bool { return len(p.Problems()) == 1 })
	p.Set(table(2, 0))
	waitFor(t, "no problem", func() bool { return len(p.Problems()) == 0 })
}

func TestBindAddressOfAnotherHost(t *testing.T) {
	p, port := start(t, Config{BindAddr: "192.0.2.1"}), freePort(t) // RFC 5737
	p.Set(table(1, port))
	waitFor(t, "a problem", func() bool { return len(p.Problems()) == 1 })
	if got := p.Problems()[0].Message; !strings.Contains(got, "no address 192.0.2.1") {
		t.Errorf("got %q", got)
	}
}

func TestFullPortLetsClientsWait(t *testing.T) {
	p, port := start(t, Config{MaxConns: 2}), freePort(t)
	p.Set(table(1, port, backend(1, serve(t, echo))))
	first, second := dial(t, port), dial(t, port)
	pingPong(t, first, "1")
	pingPong(t, second, "2")
	waitFor(t, "the port to be full", func() bool { return len(p.Problems()) == 1 })
	if got := p.Problems()[0].Message; !strings.Contains(got, "2 open connections") {
		t.Errorf("got %q", got)
	}
	third := dial(t, port) // the kernel's queue takes it
	if got := stats(t, p).Connections; got != 2 {
		t.Errorf("%d connections were accepted, want 2", got)
	}
	first.Close()
	pingPong(t, third, "3")
}

// The limit of all ports together is not used up by ports without clients.
func TestAllPortsTogetherLetClientsWait(t *testing.T) {
	p := start(t, Config{MaxTotal: 2})
	in := lb.Input{Epoch: 1, Index: 1, Services: []lb.ServicePorts{{Service: service}}}
	for i := range 4 {
		key := lb.Port{Protocol: lb.TCP, Number: freePort(t)}
		b := backend(i, serve(t, echo))
		in.Services[0].Ports = append(in.Services[0].Ports, key)
		in.Endpoints = append(in.Endpoints, lb.Endpoint{Service: service, Port: key, Task: b.Task, Node: b.Node, Address: b.Addr})
	}
	ports := in.Services[0].Ports
	p.Set(lb.Build(in))
	first, second := dial(t, ports[0].Number), dial(t, ports[1].Number)
	pingPong(t, first, "1")
	pingPong(t, second, "2")
	third := dial(t, ports[2].Number)
	waitFor(t, "the node to be full", func() bool { return len(p.Problems()) == 1 })
	if got := p.Problems()[0].Message; !strings.Contains(got, "LimitNOFILE") {
		t.Errorf("got %q", got)
	}
	first.Close()
	pingPong(t, third, "3")
	waitFor(t, "no problem", func() bool { return len(p.Problems()) == 0 })
	fourth := dial(t, ports[3].Number)
	waitFor(t, "the node to be full again", func() bool { return len(p.Problems()) == 1 })
	p.Close() // with a client that waits
	if _, err := fourth.Read(make([]byte, 1)); err == nil {
		t.Error("a client that waited was answered")
	}
}

func TestCloseLetsConnectionsEnd(t *testing.T) {
	p, port := start(t, Config{Drain: patience}), freePort(t)
	p.Set(table(1, port, backend(1, serve(t, echo))))
	c := dial(t, port)
	pingPong(t, c, "before")
	closed := make(chan struct{})
	go func() { defer close(closed); p.Close() }()
	waitFor(t, "the listener to be closed", func() bool {
		other, err := net.Dial("tcp", c.RemoteAddr().String())
		if err == nil {
			other.Close()
		}
		return err != nil
	})
	pingPong(t, c, "while draining")
	c.Close()
	<-closed
}

func TestCloseCutsWhatDoesNotEnd(t *testing.T) {
	p, port := start(t, Config{Drain: time.Millisecond}), freePort(t)
	p.Set(table(1, port, backend(1, serve(t, echo))))
	c := dial(t, port)
	pingPong(t, c, "before")
	p.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the client saw %v, want a reset", err)
	}
	p.Close() // twice is harmless
}

func itoa(port uint16) string { return strconv.Itoa(int(port)) }

func TestStatsForgetServicesThatLeft(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	p.Set(table(1, port, backend(1, serve(t, say("a")))))
	if _, err := ask(t, port); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the connection to end", func() bool { return stats(t, p).Active == 0 })
	p.Set(table(2, 0))
	waitFor(t, "the counters to go", func() bool { return len(p.Stats()) == 0 })
}
