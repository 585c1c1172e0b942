package overlay

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/network"
)

// TestBridgeThatComesLater: the engine makes it with the first container, after
// the tunnel is wanted.
func TestBridgeThatComesLater(t *testing.T) {
	w := newWorld(t, 2, true)
	w.setAll()
	waitFor(t, "no tunnel", func() bool { return w.hosts[0].has(testTunnel) && w.hosts[1].has(testTunnel) })
	for _, m := range w.hosts {
		m.engine()
	}
	w.reach(1, 2)
}

// TestHostThatLeft is not reached, and the others do not notice.
func TestHostThatLeft(t *testing.T) {
	w := run(t, 3, true)
	w.reach(1, 2)
	w.reach(1, 3)
	stays, _, err := w.hosts[0].container.dial(echoOf(2), patience)
	if err != nil {
		t.Fatal(err)
	}
	less := w.overlay(1)
	less.Peers, less.Tunnels[0].Remote = less.Peers[:1], less.Tunnels[0].Remote[:1]
	w.hosts[0].set(less)
	waitFor(t, "the entry stays", func() bool { return len(w.hosts[0].tables().Forward) == 1 })
	w.unreached(1, 3)
	w.unreached(3, 1)
	say(t, stays, []byte("still here"))
}

// TestKeyThatChanges: the old one is of no use any more.
func TestKeyThatChanges(t *testing.T) {
	w := run(t, 2, true)
	w.reach(1, 2)
	w.hosts[1].stop()
	w.hosts[1].key = newKey(t)
	w.hosts[1].hostProcess = w.hosts[1].process(w.hosts[1].key)
	w.hosts[1].set(w.overlay(2))
	w.unreached(1, 2)
	w.hosts[0].set(w.overlay(1))
	w.reach(1, 2)
}

// TestDeletedBehindOurBack: everything comes back.
func TestDeletedBehindOurBack(t *testing.T) {
	w := run(t, 2, true)
	w.reach(1, 2)
	for _, name := range []string{testTunnel, wireGuardLink, testBridge} {
		before := w.hosts[0].link(name).Attrs().Index
		w.hosts[0].remove(name)
		if name == testBridge {
			w.hosts[0].bridge(testBridge)
			w.hosts[0].must(w.hosts[0].nl.LinkSetMaster(w.hosts[0].link("veth1"), w.hosts[0].link(testBridge)))
		}
		waitFor(t, name+" does not come back", func() bool {
			l, err := w.hosts[0].nl.LinkByName(name)
			return err == nil && l.Attrs().Index != before
		})
		w.reach(1, 2)
		w.reach(2, 1)
	}
}

// TestEncryptionIsTurnedOff and on again, by a Set; nothing of it is left.
func TestEncryptionIsTurnedOff(t *testing.T) {
	w := run(t, 2, true)
	w.reach(1, 2)
	w.encrypt = false
	w.setAll()
	waitFor(t, wireGuardLink+" stays", func() bool { return !w.hosts[0].has(wireGuardLink) && !w.hosts[1].has(wireGuardLink) })
	w.reach(1, 2)
	w.encrypt = true
	w.setAll()
	waitFor(t, wireGuardLink+" is not made", func() bool { return w.hosts[0].has(wireGuardLink) && w.hosts[1].has(wireGuardLink) })
	w.reach(1, 2)
}

// TestPortThatIsTaken is said, and no other port is used instead.
func TestPortThatIsTaken(t *testing.T) {
	w := newWorld(t, 1, true)
	m := w.hosts[0]
	var taken net.PacketConn
	m.in(func() (err error) {
		taken, err = (&net.ListenConfig{}).ListenPacket(t.Context(), "udp4", fmt.Sprint(":", network.WireGuardPort))
		return err
	})
	m.set(w.overlay(1))
	waitFor(t, "it is not said", func() bool { return strings.Contains(m.problems(), "another process has the UDP port") })
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "it is not tried again", func() bool { return m.problems() == "" && m.has(testTunnel) })
}

// TestManyContainers: the kernel has an entry for each in three tables, and one
// that moves is one that changes.
func TestManyContainers(t *testing.T) {
	const many = 1000
	w := newWorld(t, 1, false)
	m := w.hosts[0]
	m.bridge(testBridge)
	o := w.overlay(1)
	for n := range many {
		o.Tunnels[0].Remote = append(o.Tunnels[0].Remote, network.Remote{Address: containerAddress(512 + n), Host: outside(2 + n%5)})
	}
	m.set(o)
	waitFor(t, "entries are missing", func() bool {
		have := m.tables()
		return len(have.Forward) == many && len(have.Bridge) == many && len(have.Neighbours) == many
	})
	o.Tunnels[0].Remote = o.Tunnels[0].Remote[1:]
	o.Tunnels[0].Remote[0].Host = outside(9)
	m.set(o)
	waitFor(t, "entries are not changed", func() bool {
		have := m.tables()
		return len(have.Forward) == many-1 && len(have.Bridge) == many-1 && len(have.Neighbours) == many-1 &&
			have.Forward[macOf(o.Tunnels[0].Remote[0].Address)] == outside(9)
	})
}

// tables are what the kernel has for the tunnel.
func (m *member) tables() tables {
	out := noTables()
	l, err := m.nl.LinkByName(testTunnel)
	if err != nil {
		return out
	}
	h := host{nl: m.nl}
	m.must(h.readTables(map[int]tables{l.Attrs().Index: out}))
	return out
}

// TestStrangers: a host with a key that nobody knows gets nowhere, whatever it
// believes itself, and neither does what is no WireGuard at all.
func TestStrangers(t *testing.T) {
	w := run(t, 3, true)
	w.reach(1, 2)
	stranger := w.hosts[2]
	for _, m := range w.hosts[:2] {
		less := w.overlay(m.number)
		less.Peers[1].Key = newKey(t).Public()
		m.set(less)
	}
	stranger.stop()
	stranger.hostProcess = stranger.process(newKey(t))
	stranger.set(w.overlay(3))
	stranger.in(func() error {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "udp4", fmt.Sprintf("192.0.2.1:%d", network.WireGuardPort))
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		for n := range 1000 { // every kind of message, at every length
			junk := make([]byte, n)
			if n > 0 {
				junk[0] = byte(n % 5)
			}
			if _, err := c.Write(junk); err != nil {
				return err
			}
		}
		return nil
	})
	w.unreached(3, 1)
	w.unreached(1, 3)
	w.reach(1, 2)
	w.reach(2, 1)
}

// TestCloseRemoves all that is ours, and nothing else.
func TestCloseRemoves(t *testing.T) {
	w := run(t, 2, true)
	w.reach(1, 2)
	m := w.hosts[0]
	m.must(m.nl.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "mx99"}}))
	var leaks string
	m.ask("Stop", true, &leaks)
	if leaks != "" {
		t.Error(leaks)
	}
	m.kill()
	if m.has(testTunnel) || m.has(wireGuardLink) || !m.has(testBridge) || !m.has("mx99") {
		t.Error("other interfaces are left than those of others")
	}
	links, err := m.nl.LinkList()
	m.must(err)
	for _, l := range links {
		if l.Type() == kindVXLAN && l.Attrs().RawFlags&unix.IFF_UP != 0 {
			t.Errorf("%s is left", l.Attrs().Name)
		}
	}
}
