package filter

import (
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/cluster"
)

// space is a network namespace: a container's, or another host's.
type space struct{ ns *os.File }

// onThread runs f on a thread that ends with it, because its namespace changes.
func onThread(f func()) {
	var wg sync.WaitGroup
	wg.Go(func() {
		runtime.LockOSThread()
		f()
	})
	wg.Wait()
}

func newSpace(t *testing.T) space {
	t.Helper()
	var s space
	var err error
	onThread(func() {
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			s.ns, err = os.Open("/proc/thread-self/ns/net")
		}
	})
	must(t, err)
	t.Cleanup(func() { s.ns.Close() })
	s.do(t, func() error { return linkUp("lo") })
	return s
}

// do runs f in the namespace.
func (s space) do(t *testing.T, f func() error) {
	t.Helper()
	must(t, s.try(f))
}

func (s space) try(f func() error) (err error) {
	onThread(func() {
		if err = unix.Setns(int(s.ns.Fd()), unix.CLONE_NEWNET); err == nil {
			err = f()
		}
	})
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func linkUp(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

func setAddress(link, prefix string) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(prefix)
	if err != nil {
		return err
	}
	return netlink.AddrAdd(l, a)
}

// cable joins the tests' namespace with s; the end there is eth0.
func cable(t *testing.T, here string, s space, mac string) {
	t.Helper()
	there, err := net.ParseMAC(mac)
	must(t, err)
	must(t, netlink.LinkAdd(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: here}, PeerName: "eth0",
		PeerNamespace: netlink.NsFd(int(s.ns.Fd())), PeerHardwareAddr: there,
	}))
	t.Cleanup(func() { removeLink(here) })
	must(t, linkUp(here))
	s.do(t, func() error { return linkUp("eth0") })
}

func removeLink(name string) {
	if l, err := netlink.LinkByName(name); err == nil {
		_ = netlink.LinkDel(l)
	}
}

// newBridge is a network's on this host.
func newBridge(t *testing.T, name, gateway string) {
	t.Helper()
	must(t, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}}))
	t.Cleanup(func() { removeLink(name) })
	must(t, setAddress(name, gateway))
	must(t, linkUp(name))
}

// container is a namespace on a bridge, as an engine makes it.
func container(t *testing.T, bridge, gateway, prefix string) space {
	t.Helper()
	s := newSpace(t)
	at := netip.MustParsePrefix(prefix)
	here := "ve" + strconv.Itoa(int(at.Addr().As4()[2])) + "x" + strconv.Itoa(int(at.Addr().As4()[3]))
	cable(t, here, s, cluster.MAC(at.Addr()))
	port, err := netlink.LinkByName(here)
	must(t, err)
	br, err := netlink.LinkByName(bridge)
	must(t, err)
	must(t, netlink.LinkSetMaster(port, br))
	s.do(t, func() error {
		if err := setAddress("eth0", prefix); err != nil {
			return err
		}
		return defaultRoute("eth0", gateway)
	})
	return s
}

func defaultRoute(link, gateway string) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	return netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: net.ParseIP(gateway)})
}

// outside is another machine, 192.0.2.2, and where this host sends what it knows no
// other way for; this host is 192.0.2.1 to it.
func outside(t *testing.T) space {
	t.Helper()
	s := newSpace(t)
	cable(t, "out0", s, "02:00:00:00:00:02")
	must(t, setAddress("out0", "192.0.2.1/24"))
	s.do(t, func() error { return setAddress("eth0", "192.0.2.2/24") })
	must(t, defaultRoute("out0", "192.0.2.2"))
	return s
}

// host makes the tests' namespace forward as a host with an engine does.
func host(t *testing.T) {
	t.Helper()
	needRoot(t)
	must(t, linkUp("lo"))
	must(t, os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644))
	if _, err := os.Stat(bridgeFilter); err != nil {
		t.Skipf("this kernel has no br_netfilter, which services' own addresses need: %v", err)
	}
}
