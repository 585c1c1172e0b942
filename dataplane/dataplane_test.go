package dataplane

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/musterhq/muster/lb"
)

func TestServesTheNewestTable(t *testing.T) {
	cfg, port := config(t.TempDir(), "1"), freePort(t)
	defer run(t, cfg)()
	c := connect(t, cfg, "1", nil)
	c.Set(table(1, port, echo(t, "one")))
	ask(t, port, "one")
	c.Set(table(3, port, echo(t, "three")))
	ask(t, port, "three")
	c.Set(table(2, port, echo(t, "two"))) // late
	again := table(3, port, netip.AddrPort{})
	again.Cluster = "D" // another history: this host has joined another cluster
	at := echo(t, "other")
	again.Input.Index, again.Input.Endpoints[0].Address = 1, at
	ask(t, port, "three")
	c.Set(again)
	ask(t, port, "other")
}

func TestServesTheKeptTableWithoutAnAgent(t *testing.T) {
	cfg, port := config(t.TempDir(), "1"), freePort(t)
	end := run(t, cfg)
	c := connect(t, cfg, "1", nil)
	c.Set(table(1, port, echo(t, "one")))
	ask(t, port, "one")
	c.Close()
	awaitFile(t, filepath.Join(cfg.Dir, keptFile))
	end()
	if _, err := os.Stat(cfg.Socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket of one that ended: %v", err)
	}
	defer run(t, cfg)()
	ask(t, port, "one")
}

// A table that comes while a host stops finds nobody who serves it; goleak would
// find who did.
func TestNothingIsServedAfterClose(t *testing.T) {
	p, port := NewPlane(PlaneConfig{Logger: slog.New(slog.DiscardHandler)}), freePort(t)
	p.Set(table(1, port, echo(t, "one")))
	p.Clear()
	p.Set(table(1, port, echo(t, "two")))
	ask(t, port, "two")
	p.Close()
	p.Set(table(2, port, echo(t, "three")))
	if got := p.served(); got.Node != "" {
		t.Errorf("serves %+v", got)
	}
}

func TestSpoiltTableIsNoEnd(t *testing.T) {
	cfg, port := config(t.TempDir(), "1"), freePort(t)
	if err := os.WriteFile(filepath.Join(cfg.Dir, keptFile), []byte("\xbf\x01"), 0o600); err != nil {
		t.Fatal(err)
	}
	defer run(t, cfg)()
	c := connect(t, cfg, "1", nil)
	c.Set(table(1, port, echo(t, "one")))
	ask(t, port, "one")
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		_, err := os.Stat(path)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestClear: nothing is served, on disk or at the port, and one that is alone ends.
func TestClear(t *testing.T) {
	cfg, port := config(t.TempDir(), "1"), freePort(t)
	cfg.Alone = true
	end := run(t, cfg)
	c := connect(t, cfg, "1", nil)
	c.Set(table(1, port, echo(t, "one")))
	ask(t, port, "one")
	c.Close()
	if err := Clear(t.Context(), cfg.Socket); err != nil {
		t.Error(err)
	}
	end()
	if c, err := net.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port.Number).String()); err == nil {
		_ = c.Close()
		t.Error("the port is still served")
	}
	if _, err := os.Stat(filepath.Join(cfg.Dir, keptFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the table is still on disk: %v", err)
	}
	if err := Clear(t.Context(), cfg.Socket); err != nil {
		t.Errorf("where there is no data plane: %v", err)
	}
}

func TestEndsWhenItsSocketIsGone(t *testing.T) {
	cfg := config(t.TempDir(), "1")
	ended := make(chan error, 1)
	go func() { ended <- Run(t.Context(), cfg) }()
	hear(t, cfg.Socket, func(report) bool { return true })
	if err := os.Remove(cfg.Socket); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestTwoOnOneSocket(t *testing.T) {
	cfg := config(t.TempDir(), "1")
	defer run(t, cfg)()
	hear(t, cfg.Socket, func(report) bool { return true })
	if err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "another data plane") {
		t.Errorf("a second one: %v", err)
	}
}

// TestSuccession replaces the process while it serves: no connection breaks, none
// is refused, and the next one is of the version that is installed.
func TestSuccession(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	version := filepath.Join(dir, "version")
	install := func(v string) {
		if err := os.WriteFile(version, []byte(v), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install("1")
	cfg := config(dir, "1")
	var process *exec.Cmd
	c := connect(t, cfg, "1", func() error {
		process = exec.Command(os.Args[0], "dataplane", dir, version)
		process.Stderr = os.Stderr
		return process.Start()
	})
	more := table(1, port, echo(t, "one"))
	for range 2 * perMessage { // sockets for several messages
		more.Input.Services[0].Ports = append(more.Input.Services[0].Ports, freePort(t))
	}
	packets := lb.Port{Protocol: lb.UDP, Number: port.Number}
	more.Input.Services[0].Ports = append(more.Input.Services[0].Ports, packets)
	more.Input.Endpoints = append(more.Input.Endpoints, lb.Endpoint{Service: "shop/web", Port: packets, Task: "T", Node: "N", Address: echoPackets(t)})
	c.Set(more)
	open := dial(t, port, "one")
	said := make(chan error, 1)
	saying, hush := context.WithCancel(t.Context())
	go func() { said <- keepSaying(saying, packets) }()
	hear(t, cfg.Socket, func(r report) bool { return r.Version == "1" && len(r.Problems) == 0 })

	asking, stop := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		var err error
		at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port.Number).String()
		for asking.Err() == nil && err == nil {
			var c net.Conn
			if c, err = net.Dial("tcp", at); err == nil {
				_, err = line(c)
				_ = c.Close()
			}
		}
		failed <- err
	}()
	for _, v := range []string{"2", "3"} {
		install(v)
		next := connect(t, cfg, v, nil) // an agent that was upgraded
		hear(t, cfg.Socket, func(r report) bool { return r.Version == v && r.Index == 1 })
		next.Close()
	}
	stop()
	hush()
	if err := <-said; err != nil {
		t.Errorf("datagrams meanwhile: %v", err)
	}
	if err := <-failed; err != nil {
		t.Errorf("a new connection meanwhile: %v", err)
	}
	if err := echoes(open); err != nil {
		t.Errorf("the old connection: %v", err)
	}
	_ = open.Close()
	if err := process.Wait(); err != nil { // its last connection has ended
		t.Errorf("the first process: %v", err)
	}
	ask(t, port, "one")
	c.Close()
	if err := Clear(t.Context(), cfg.Socket); err != nil {
		t.Error(err)
	}
}

// TestSuccessorThatFails: the process goes on as it is.
func TestSuccessorThatFails(t *testing.T) {
	cfg, port := config(t.TempDir(), "1"), freePort(t)
	cfg.Program = "/bin/false"
	defer run(t, cfg)()
	c := connect(t, cfg, "1", nil)
	c.Set(table(1, port, echo(t, "one")))
	open := dial(t, port, "one")
	hear(t, cfg.Socket, func(report) bool { return true })
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	c.Set(table(2, port, echo(t, "two")))
	ask(t, port, "two")
	if err := echoes(open); err != nil {
		t.Error(err)
	}
}

func TestProblems(t *testing.T) {
	cfg := config(t.TempDir(), "1")
	c := &Client{cfg: ClientConfig{Socket: cfg.Socket}, lost: time.Now(), trouble: errors.New("no such file")}
	if got := c.Problems(); len(got) != 0 {
		t.Errorf("one that may be starting: %q", got)
	}
	c.lost = time.Now().Add(-time.Minute)
	if got := c.Problems(); len(got) != 1 || !strings.Contains(got[0], "no such file") || !strings.Contains(got[0], "muster-dataplane") {
		t.Errorf("one that is gone: %q", got)
	}

	defer run(t, cfg)()
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	port := lb.Port{Protocol: lb.TCP, Number: taken.Addr().(*net.TCPAddr).AddrPort().Port()}
	real := connect(t, cfg, "1", nil)
	real.Set(table(1, port, echo(t, "one")))
	hear(t, cfg.Socket, func(r report) bool {
		return len(r.Problems) == 1 && strings.Contains(r.Problems[0], "in use by another process")
	})
}

// FuzzMessages feeds bytes to both ends' decoders.
func FuzzMessages(f *testing.F) {
	t := table(7, lb.Port{Protocol: lb.TCP, Number: 80}, netip.MustParseAddrPort("10.0.0.1:8080"))
	for _, v := range []any{order{Table: &t}, order{Replace: "/bin/muster"}, report{Version: "1", Problems: []string{"a"}}, bequest{Control: true, Ports: []lb.Port{{Number: 1}}}} {
		data, err := cbor.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var o order
		if newMessages(strings.NewReader(string(data))).next(&o) == nil && o.Table != nil {
			lb.Build(o.Table.Input)
		}
		var r report
		_ = newMessages(strings.NewReader(string(data))).next(&r)
		var b bequest
		_ = decoding.Unmarshal(data, &b)
	})
}
