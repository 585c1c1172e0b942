package overlay

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/network"
)

const (
	tunnelNumber = 7
	testBridge   = "mu7"
	testTunnel   = "mx7"
	echoPort     = 8000
)

// encryptedMTU is that of containers on a usual wire.
var encryptedMTU = network.MTU(0, true, netip.Addr{})

// world is hosts on one wire, with a network across them. Host n is 192.0.2.n and,
// among hosts, 10.192.0.n; its container is 10.194.1.n.
type world struct {
	t       testing.TB
	wire    *space
	hosts   []*member
	encrypt bool
}

type member struct {
	*space
	*hostProcess
	number    int
	key       Key
	container *space
}

func newKey(t testing.TB) Key {
	t.Helper()
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Key{private}
}

// newWorld has hosts without bridges; nothing is set.
func newWorld(t testing.TB, size int, encrypt bool) *world {
	t.Helper()
	needRoot(t)
	w := &world{t: t, wire: newSpace(t), encrypt: encrypt}
	w.wire.bridge("wire")
	for n := 1; n <= size; n++ {
		m := &member{space: newSpace(t), number: n, key: newKey(t)}
		w.wire.cable(fmt.Sprint("port", n), "wire", m.space)
		m.address("eth0", fmt.Sprintf("192.0.2.%d/24", n))
		m.hostProcess = m.process(m.key)
		w.hosts = append(w.hosts, m)
	}
	return w
}

// run is newWorld with all set and a container on each host.
func run(t testing.TB, size int, encrypt bool) *world {
	t.Helper()
	w := newWorld(t, size, encrypt)
	for _, m := range w.hosts {
		m.engine()
	}
	w.setAll()
	return w
}

// engine makes what an engine does for the first container of a network.
func (m *member) engine() {
	m.bridge(testBridge)
	m.address(testBridge, "10.194.0.1/22")
	m.container = m.space.container("veth1", testBridge, fmt.Sprintf("10.194.1.%d/22", m.number), encryptedMTU)
	m.container.echo(fmt.Sprintf("10.194.1.%d:%d", m.number, echoPort))
}

func (w *world) setAll() {
	w.t.Helper()
	for _, m := range w.hosts {
		m.set(w.overlay(m.number))
	}
}

// overlay is what host n is told: all hosts of the world, and their containers.
func (w *world) overlay(n int) network.Overlay {
	o := network.Overlay{
		Self: hostAddress(n), Hosts: hosts, Address: outside(n), Encrypt: w.encrypt, Port: network.WireGuardPort,
		Tunnels: []network.Tunnel{{Network: "shop/default", Number: tunnelNumber, Bridge: testBridge, Interface: testTunnel}},
	}
	for _, m := range w.hosts {
		if m.number == n {
			continue
		}
		o.Peers = append(o.Peers, network.Peer{
			Node: cluster.NodeID(fmt.Sprint("node", m.number)), Address: hostAddress(m.number), Key: m.key.Public(),
			Endpoint: netip.AddrPortFrom(outside(m.number), network.WireGuardPort),
		})
		at := outside(m.number)
		if w.encrypt {
			at = hostAddress(m.number)
		}
		o.Tunnels[0].Remote = append(o.Tunnels[0].Remote, network.Remote{Address: inside(m.number), Host: at})
	}
	return o
}

func outside(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}) }

func inside(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 194, 1, byte(n)}) }

func echoOf(n int) string { return fmt.Sprintf("%s:%d", inside(n), echoPort) }

// reach waits until containers of the two hosts speak, and holds that the one sees
// the other's own address.
func (w *world) reach(a, b int) {
	w.t.Helper()
	var from netip.Addr
	waitFor(w.t, fmt.Sprintf("host %d does not reach host %d; problems: %s / %s", a, b, w.hosts[a-1].problems(), w.hosts[b-1].problems()), func() bool {
		c, seen, err := w.hosts[a-1].container.dial(echoOf(b), time.Second)
		if err != nil {
			return false
		}
		from = seen
		return c.Close() == nil
	})
	if from != inside(a) {
		w.t.Errorf("host %d's container is seen as %s", a, from)
	}
}

// unreached holds that the container of one host does not get to the other's.
func (w *world) unreached(a, b int) {
	w.t.Helper()
	if c, _, err := w.hosts[a-1].container.dial(echoOf(b), time.Second); err == nil {
		_ = c.Close()
		w.t.Errorf("host %d reaches host %d", a, b)
	}
}

// say sends words there and back.
func say(t testing.TB, c io.ReadWriter, words []byte) {
	t.Helper()
	wrote := make(chan error, 1)
	go func() {
		_, err := c.Write(words)
		wrote <- err
	}()
	got := make([]byte, len(words))
	_, err := io.ReadFull(c, got)
	if err := errors.Join(err, <-wrote); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, words) {
		t.Error("other bytes came back")
	}
}

// capture is a socket that sees all packets of an interface.
func (s *space) capture(name string) int {
	s.t.Helper()
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in the network's order
	fd := -1
	s.in(func() (err error) {
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: s.link(name).Attrs().Index})
	})
	s.t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// captured are the packets so far.
func captured(t testing.TB, fd int) (packets [][]byte) {
	t.Helper()
	buffer := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if errors.Is(err, unix.EAGAIN) {
			return packets
		}
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, bytes.Clone(buffer[:n]))
	}
}

func anyContains(packets [][]byte, what []byte) bool {
	for _, p := range packets {
		if bytes.Contains(p, what) {
			return true
		}
	}
	return false
}
