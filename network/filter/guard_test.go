package filter

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/network"
)

// run calls nft, which Debian has in the package nftables.
func run(t *testing.T, cmd *exec.Cmd, input string) string {
	t.Helper()
	if _, err := exec.LookPath(cmd.Args[0]); err != nil {
		t.Skipf("%s is missing: %v", cmd.Args[0], err)
	}
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

// thisHost is the tests' own namespace.
func thisHost(t *testing.T) space {
	t.Helper()
	ns, err := os.Open("/proc/thread-self/ns/net")
	must(t, err)
	t.Cleanup(func() { ns.Close() })
	return space{ns}
}

// arrives reports whether a datagram from the namespace gets to the socket, which
// another one does that is sent after it.
func arrives(t *testing.T, from space, to string, socket *net.UDPConn, trusted net.Conn) bool {
	t.Helper()
	c, err := from.dial("udp4", to, patience)
	must(t, err)
	defer c.Close()
	_, err = c.Write([]byte("stranger"))
	must(t, err)
	_, err = trusted.Write([]byte("friend"))
	must(t, err)
	must(t, socket.SetReadDeadline(time.Now().Add(patience)))
	got := false
	for buf := make([]byte, 64); ; {
		n, err := socket.Read(buf)
		must(t, err)
		if string(buf[:n]) == "friend" {
			return got
		}
		got = true
	}
}

func TestVXLANOfStrangersIsDropped(t *testing.T) {
	host(t)
	peer := outside(t)
	newBridge(t, "mu1", "10.194.0.1/22")
	inside := container(t, "mu1", "10.194.0.1", "10.194.0.9/22")
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{Port: network.VXLANPort})
	must(t, err)
	defer socket.Close()
	at := netip.AddrPortFrom(addr("192.0.2.1"), network.VXLANPort).String()
	friend, err := peer.dial("udp4", at, patience)
	must(t, err)
	defer friend.Close()
	peer.do(t, func() error { return setAddress("eth0", "192.0.2.3/24") })
	f := start(t, Config{})
	me := thisHost(t)

	rules := twoNetworks()
	rules.VXLANFrom = "out0"
	apply(t, f, rules)
	if !arrives(t, peer, at, socket, friend) {
		t.Error("what comes from the encrypted interface is dropped")
	}
	for name, s := range map[string]space{"a container": inside, "this host": me} {
		if arrives(t, s, at, socket, friend) {
			t.Errorf("encrypted, and a packet of %s was taken", name)
		}
	}

	rules.VXLANFrom, rules.Peers = "", addrs("192.0.2.2")
	apply(t, f, rules)
	if !arrives(t, peer, at, socket, friend) {
		t.Error("what comes from a peer is dropped")
	}
	for name, s := range map[string]space{"a container": inside, "this host": me} {
		if arrives(t, s, at, socket, friend) {
			t.Errorf("not encrypted, and a packet of %s was taken", name)
		}
	}
	other, err := peer.dialFrom("192.0.2.3", at)
	must(t, err)
	defer other.Close()
	_, err = other.Write([]byte("stranger"))
	must(t, err)
	if arrives(t, me, at, socket, friend) {
		t.Error("not encrypted, and a packet of a host that is no peer was taken")
	}
}

// dialFrom opens a socket of UDP at one of the namespace's addresses.
func (s space) dialFrom(from, to string) (c net.Conn, err error) {
	d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(from)}}
	err = s.try(func() (err error) {
		c, err = d.Dial("udp4", to)
		return err
	})
	return c, err
}

func TestNetworksAreKeptApart(t *testing.T) {
	host(t)
	outside(t)
	newBridge(t, "mu1", "10.194.0.1/22")
	newBridge(t, "mu2", "10.194.4.1/22")
	one := container(t, "mu1", "10.194.0.1", "10.194.0.2/22")
	two := container(t, "mu2", "10.194.4.1", "10.194.4.2/22")
	neighbour := container(t, "mu1", "10.194.0.1", "10.194.0.3/22")
	two.listen(t, ":80", "two")
	neighbour.listen(t, ":80", "neighbour")
	thisHost(t).listen(t, ":5300", "gateway")
	if name, _, err := one.ask("10.194.4.2:80"); name != "two" {
		t.Fatalf("without rules one network does not reach the other: %v", err)
	}
	apply(t, start(t, Config{}), twoNetworks())
	for what, at := range map[string]string{
		"a container of another network": "10.194.4.2:80",
		"another network's gateway":      "10.194.4.1:5300",
	} {
		if !one.silent(at) {
			t.Errorf("a container reaches %s", what)
		}
	}
	for _, at := range []string{"10.194.0.3:80", "10.194.0.1:5300", "192.0.2.1:5300"} {
		if _, _, err := one.ask(at); err != nil {
			t.Errorf("a container does not reach %s, which it may: %v", at, err)
		}
	}
}

func TestRulesArePutBack(t *testing.T) {
	needRoot(t)
	for what, args := range map[string]string{
		"everything is flushed":    "flush ruleset",
		"our table is flushed":     "flush table ip muster",
		"a rule is put first":      "insert rule ip muster forward accept",
		"an element is taken away": "delete element ip muster bridges { mu1 }",
		"a map is emptied":         "flush map ip muster services",
	} {
		t.Run(what, func(t *testing.T) {
			f := start(t, Config{Check: 10 * time.Millisecond})
			apply(t, f, example())
			want := run(t, exec.Command("nft", "-s", "list", "ruleset"), "")
			run(t, exec.Command("nft", args), "")
			waitFor(t, "the rules to be back", func() bool {
				return run(t, exec.Command("nft", "-s", "list", "ruleset"), "") == want
			})
		})
	}
}

func TestOthersRulesStay(t *testing.T) {
	needRoot(t)
	nft(t, "table ip engine { chain forward { type filter hook forward priority 0; policy drop; }\n}")
	theirs := run(t, exec.Command("nft", "list", "ruleset"), "")
	f := New(Config{})
	f.Set(example())
	must(t, f.Settle(t.Context()))
	if all := run(t, exec.Command("nft", "list", "ruleset"), ""); !strings.Contains(all, "table ip muster") {
		t.Errorf("our table is not there:\n%s", all)
	}
	f.Close(true)
	if left := run(t, exec.Command("nft", "list", "ruleset"), ""); left != theirs {
		t.Errorf("after the end there is\n%s", left)
	}
}

func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
