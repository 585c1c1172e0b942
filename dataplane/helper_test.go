package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
)

// patience bounds every wait of a test; it is no measure of speed.
const patience = 20 * time.Second

// TestMain is the data plane where it is started as one: "DIR VERSION-FILE".
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "dataplane" {
		os.Exit(program(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

func program(args []string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	version, err := os.ReadFile(args[1])
	if err != nil {
		return 1
	}
	cfg := config(args[0], string(version))
	cfg.Args = append([]string{"dataplane"}, args[:2]...)
	cfg.Inherit = slices.Contains(args, InheritFlag)
	cfg.Alone = true
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := Run(ctx, cfg); err != nil {
		cfg.Logger.Error(err.Error())
		return 1
	}
	return 0
}

func config(dir, version string) Config {
	return Config{Dir: dir, Socket: filepath.Join(dir, "socket"), Version: version, Logger: slog.New(slog.DiscardHandler)}
}

// run is a data plane in this process, until the returned function ends it.
func run(t *testing.T, cfg Config) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, cfg) }()
	end = func() {
		cancel()
		if err, ok := <-ended; ok && err != nil {
			t.Error(err)
		}
		close(ended)
	}
	return end
}

func connect(t *testing.T, cfg Config, version string, start func() error) *Client {
	t.Helper()
	c := Connect(ClientConfig{Socket: cfg.Socket, Version: version, Program: os.Args[0], Start: start, Logger: cfg.Logger})
	t.Cleanup(c.Close)
	return c
}

// echo answers every connection with what it gets, after the word.
func echo(t *testing.T, word string) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = ln.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_, _ = io.WriteString(c, word+"\n")
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

// lastPort is below those that the kernel gives to connections, as one of these
// could come in between (ip(7), ip_local_port_range).
var lastPort atomic.Uint32

// freePort is a port that nobody listened on a moment ago, another one each time.
func freePort(t *testing.T) lb.Port {
	t.Helper()
	for {
		port := lb.Port{Protocol: lb.TCP, Number: uint16(12_000 + lastPort.Add(1))}
		ln, err := net.Listen("tcp", fmt.Sprintf(":%d", port.Number))
		if err == nil {
			_ = ln.Close()
			return port
		}
		if port.Number >= 32_000 {
			t.Fatal(err)
		}
	}
}

func table(index uint64, port lb.Port, at netip.AddrPort) Table {
	const service = cluster.ServiceID("shop/web")
	return Table{Cluster: "C", Node: "N", Input: lb.Input{
		Epoch: 1, Index: index,
		Services:  []lb.ServicePorts{{Service: service, Ports: []lb.Port{port}}},
		Endpoints: []lb.Endpoint{{Service: service, Port: port, Task: "T", Node: "N", Address: at}},
	}}
}

// ask waits until the port says the word.
func ask(t *testing.T, port lb.Port, word string) {
	t.Helper()
	_ = dial(t, port, word).Close()
}

// dial opens a connection to the port, again and again until it says the word.
func dial(t *testing.T, port lb.Port, word string) net.Conn {
	t.Helper()
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port.Number).String()
	deadline := time.Now().Add(patience)
	for {
		c, err := net.Dial("tcp", at)
		if err == nil {
			_ = c.SetDeadline(deadline)
			var said string
			if said, err = line(c); err == nil && said == word {
				t.Cleanup(func() { _ = c.Close() })
				return c
			}
			_ = c.Close()
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not say %q: %v", at, word, err)
		}
	}
}

// echoPackets sends every datagram back.
func echoPackets(t *testing.T) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-done })
	go func() {
		defer close(done)
		for b := make([]byte, 1<<10); ; {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(b[:n], from)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// keepSaying sends datagrams, each when the one before was answered, until ctx
// ends. The network may lose some, but not all of ten seconds.
func keepSaying(ctx context.Context, port lb.Port) error {
	c, err := net.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port.Number).String())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	answered := time.Now()
	for ctx.Err() == nil {
		_, sent := c.Write([]byte("x")) // refused until the port is open
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		_, err := c.Read(make([]byte, 1))
		switch {
		case err == nil:
			answered = time.Now()
		case time.Since(answered) > patience/2:
			return errors.Join(sent, err)
		}
	}
	return nil
}

// line reads a line, and nothing behind it.
func line(c net.Conn) (string, error) {
	var said []byte
	for b := make([]byte, 1); ; {
		if _, err := io.ReadFull(c, b); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(said), nil
		}
		said = append(said, b[0])
	}
}

// echoes reports whether a connection still carries bytes in both directions.
func echoes(c net.Conn) error {
	if _, err := io.WriteString(c, "x"); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

// hear waits for a report that is as wanted.
func hear(t *testing.T, socket string, wanted func(report) bool) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		var c net.Conn
		if c, err = net.Dial("unix", socket); err != nil {
			continue
		}
		_ = c.SetDeadline(deadline)
		for in := newMessages(c); err == nil; {
			var r report
			if err = in.next(&r); err == nil && wanted(r) {
				_ = c.Close()
				return
			}
		}
		_ = c.Close()
	}
	t.Fatalf("no such report: %v", err)
}
