package overlay

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/cluster"
)

// patience bounds every wait of a test; it is no measure of speed.
const patience = 30 * time.Second

// TestMain is a host where it is started as one: network namespaces are of
// threads, and WireGuard opens its sockets on any thread.
func TestMain(m *testing.M) {
	if os.Getenv(hostVariable) != "" {
		os.Exit(serveHost())
	}
	goleak.VerifyTestMain(m)
}

// needRoot skips tests that make network namespaces.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces can be made by root only")
	}
}

// space is a network namespace without a name: it goes when nothing holds it.
type space struct {
	t      testing.TB
	handle netns.NsHandle
	nl     *netlink.Handle
}

func newSpace(t testing.TB) *space {
	t.Helper()
	s := &space{t: t}
	onThread(t, func() error {
		var err error
		s.handle, err = netns.New()
		return err
	})
	var err error
	if s.nl, err = netlink.NewHandleAt(s.handle); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.nl.Close()
		_ = s.handle.Close()
	})
	s.up("lo")
	return s
}

// in runs on a thread of the namespace. Sockets that it makes stay there.
func (s *space) in(do func() error) {
	s.t.Helper()
	onThread(s.t, func() error {
		if err := netns.Set(s.handle); err != nil {
			return err
		}
		return do()
	})
}

// onThread runs on a thread of its own, which ends with it.
func onThread(t testing.TB, do func() error) {
	t.Helper()
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		result <- do()
	}()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
}

func (s *space) link(name string) netlink.Link {
	s.t.Helper()
	l, err := s.nl.LinkByName(name)
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	return l
}

func (s *space) has(name string) bool {
	_, err := s.nl.LinkByName(name)
	return err == nil
}

func (s *space) up(name string) { s.must(s.nl.LinkSetUp(s.link(name))) }

func (s *space) remove(name string) { s.must(s.nl.LinkDel(s.link(name))) }

func (s *space) address(name, prefix string) {
	s.t.Helper()
	s.must(s.nl.AddrAdd(s.link(name), address(netip.MustParsePrefix(prefix))))
}

func (s *space) bridge(name string) {
	s.t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	s.must(s.nl.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}))
	s.up(name)
}

// cable joins an interface here, which is a port of a bridge, with eth0 there.
func (s *space) cable(name, bridge string, there *space) {
	s.t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	s.must(s.nl.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(there.handle)}))
	s.must(s.nl.LinkSetMaster(s.link(name), s.link(bridge)))
	s.up(name)
	there.up("eth0")
}

func (s *space) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// container is a namespace on a host's bridge, as an engine makes it.
func (s *space) container(name, bridge, prefix string, mtu int) *space {
	s.t.Helper()
	c := newSpace(s.t)
	s.cable(name, bridge, c)
	eth := c.link("eth0")
	hardware, err := net.ParseMAC(cluster.MAC(netip.MustParsePrefix(prefix).Addr()))
	c.must(err)
	c.must(c.nl.LinkSetHardwareAddr(eth, hardware))
	c.must(c.nl.LinkSetMTU(eth, mtu))
	c.address("eth0", prefix)
	gateway := netip.MustParsePrefix(prefix).Masked().Addr().Next()
	c.must(c.nl.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Gw: gateway.AsSlice()}))
	return c
}

// echo answers every connection with what it says, and first with its address.
func (s *space) echo(address string) {
	s.t.Helper()
	var l net.Listener
	s.in(func() (err error) {
		l, err = (&net.ListenConfig{}).Listen(s.t.Context(), "tcp4", address)
		return err
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(s.t.Context(), func() { _ = c.Close() })
			go func() {
				defer func() { _ = c.Close() }()
				from := netip.MustParseAddrPort(c.RemoteAddr().String()).Addr().As4()
				_, _ = c.Write(from[:])
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	s.t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
}

// dial is a connection to an echo, and the address that it was seen to come from.
func (s *space) dial(address string, limit time.Duration) (c net.Conn, from netip.Addr, err error) {
	s.in(func() error {
		d := net.Dialer{Timeout: limit}
		c, err = d.DialContext(s.t.Context(), "tcp4", address)
		return nil
	})
	if err != nil {
		return nil, from, err
	}
	s.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	var raw [4]byte
	_, err = io.ReadFull(c, raw[:])
	return c, netip.AddrFrom4(raw), err
}

// waitFor polls: the kernel and other processes tell nobody when they are done.
func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("after %s: %s", patience, what)
		}
	}
}
