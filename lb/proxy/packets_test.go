package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
)

// packetTable is a table of one UDP port.
func packetTable(index uint64, port uint16, b cluster.Balance, backends ...lb.Backend) *lb.Table {
	p := lb.Port{Protocol: lb.UDP, Number: port}
	in := lb.Input{Epoch: 1, Index: index, Services: []lb.ServicePorts{{Service: service, Ports: []lb.Port{p}, Balance: b}}}
	for _, b := range backends {
		in.Endpoints = append(in.Endpoints, lb.Endpoint{Service: service, Port: p, Task: b.Task, Node: b.Node, Address: b.Addr})
	}
	return lb.Build(in)
}

// answerPackets answers every datagram with its word and where it came from, until
// the test ends or stop is called.
func answerPackets(t *testing.T, word string) (at netip.AddrPort, stop func()) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, maxDatagram)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(fmt.Appendf(nil, "%s %s %s", word, from, buf[:n]), from)
		}
	})
	stop = sync.OnceFunc(func() {
		conn.Close()
		wg.Wait()
	})
	t.Cleanup(stop)
	return conn.LocalAddr().(*net.UDPAddr).AddrPort(), stop
}

func packetClient(t *testing.T, to string) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// sayPacket sends a word again and again until there is an answer, as a client
// of UDP does, and returns who answered and the session's address at the backend.
func sayPacket(t *testing.T, c net.Conn, word string) (who, session string) {
	t.Helper()
	buf := make([]byte, maxDatagram)
	waitFor(t, "an answer to "+word, func() bool {
		if _, err := c.Write([]byte(word)); err != nil {
			return false // nobody listens yet
		}
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		n, err := c.Read(buf)
		var got string
		_, scanned := fmt.Sscanf(string(buf[:n]), "%s %s %s", &who, &session, &got)
		return err == nil && scanned == nil && got == word
	})
	return who, session
}

func TestPacketsOfAClientStayTogether(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	a, _ := answerPackets(t, "a")
	b, _ := answerPackets(t, "b")
	p.Set(packetTable(1, port, cluster.Balance{}, backend(1, a), backend(2, b)))
	to := fmt.Sprintf("127.0.0.1:%d", port)
	one, two := packetClient(t, to), packetClient(t, to)
	first, firstAt := sayPacket(t, one, "1")
	second, _ := sayPacket(t, two, "1")
	if first == second {
		t.Errorf("both clients were dealt out to %s", first)
	}
	if who, at := sayPacket(t, one, "2"); who != first || at != firstAt {
		t.Errorf("the client went on at %s %s, it was at %s %s", who, at, first, firstAt)
	}
	waitFor(t, "the counters", func() bool {
		s := stats(t, p)
		return s.Connections == 2 && s.Active == 2 && s.BytesIn >= 3 && s.BytesOut > s.BytesIn
	})
}

func TestPacketsLeaveATaskThatLeft(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	a, _ := answerPackets(t, "a")
	b, _ := answerPackets(t, "b")
	p.Set(packetTable(1, port, cluster.Balance{}, backend(1, a)))
	c := packetClient(t, fmt.Sprintf("127.0.0.1:%d", port))
	sayPacket(t, c, "1")
	p.Set(packetTable(2, port, cluster.Balance{}, backend(1, a), backend(2, b)))
	if who, _ := sayPacket(t, c, "2"); who != "a" {
		t.Errorf("another task took the client away: %s", who)
	}
	p.Set(packetTable(3, port, cluster.Balance{}, backend(2, b)))
	waitFor(t, "the session to end", func() bool { return stats(t, p).Active == 0 })
	if who, _ := sayPacket(t, c, "3"); who != "b" {
		t.Errorf("%s answers, which left", who)
	}
}

// Nobody listens where the task was: its host says so, and the client is dealt
// out anew.
func TestPacketsAreRefused(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	a, stop := answerPackets(t, "a")
	p.Set(packetTable(1, port, cluster.Balance{}, backend(1, a)))
	c := packetClient(t, fmt.Sprintf("127.0.0.1:%d", port))
	sayPacket(t, c, "1")
	b, _ := answerPackets(t, "b")
	p.Set(packetTable(2, port, cluster.Balance{}, backend(1, a), backend(2, b)))
	stop()
	if who, _ := sayPacket(t, c, "2"); who != "b" {
		t.Errorf("%s answers", who)
	}
	waitFor(t, "the failure to be counted", func() bool { return stats(t, p).DialFailures > 0 })
}

func TestPacketSessionsAreForgotten(t *testing.T) {
	p, port := start(t, Config{Idle: 20 * time.Millisecond}), freePort(t)
	a, _ := answerPackets(t, "a")
	p.Set(packetTable(1, port, cluster.Balance{}, backend(1, a)))
	c := packetClient(t, fmt.Sprintf("127.0.0.1:%d", port))
	_, first := sayPacket(t, c, "1")
	waitFor(t, "the session to end", func() bool { return stats(t, p).Active == 0 })
	if _, again := sayPacket(t, c, "2"); again == first {
		t.Error("the session goes on")
	}
}

func TestPacketClientsBeyondTheLimit(t *testing.T) {
	p, port := start(t, Config{}), freePort(t)
	a, _ := answerPackets(t, "a")
	p.Set(packetTable(1, port, cluster.Balance{Connections: 1}, backend(1, a)))
	to := fmt.Sprintf("127.0.0.1:%d", port)
	sayPacket(t, packetClient(t, to), "1")
	if _, err := packetClient(t, to).Write([]byte("2")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the second to be turned away", func() bool { s := stats(t, p); return s.Shed == 1 && s.Active == 1 })
}

// A host with several addresses answers from the one that was called: clients
// drop what comes from another.
func TestPacketsAreAnsweredFromWhereTheyCame(t *testing.T) {
	both, err := net.ListenPacket("udp", "[::1]:0")
	if err != nil {
		t.Skipf("this host has no IPv6: %v", err)
	}
	both.Close()
	p, port := start(t, Config{BindAddr: "::"}), freePort(t)
	a, _ := answerPackets(t, "a")
	p.Set(packetTable(1, port, cluster.Balance{}, backend(1, a)))
	for _, to := range []string{"127.0.0.1", "127.0.0.2", "[::1]"} {
		sayPacket(t, packetClient(t, fmt.Sprintf("%s:%d", to, port)), "1")
	}
}

func TestPacketPortIsTaken(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := listenPackets(context.Background(), conn.LocalAddr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
}
