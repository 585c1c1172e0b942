package filter

import (
	"net"
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"github.com/musterhq/muster/network"
)

func published(protocol string, of int, tasks ...string) network.PublishedPort {
	p := network.PublishedPort{Protocol: protocol, Port: 8080, Of: of}
	for _, t := range tasks {
		p.Tasks = append(p.Tasks, netip.MustParseAddrPort(t))
	}
	return p
}

func with(r network.Rules, p ...network.PublishedPort) network.Rules {
	r.Published = p
	return r
}

// here is the tests' own namespace, as a client of itself.
func here(t *testing.T, protocol string) string {
	t.Helper()
	c, err := net.DialTimeout(protocol, "192.0.2.1:8080", patience)
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(patience)))
	line, err := readLine(c)
	must(t, err)
	return line
}

func TestPublishedPortSharesWithUserSpace(t *testing.T) {
	host(t)
	client := outside(t)
	newBridge(t, "mu1", "10.194.0.1/22")
	one := container(t, "mu1", "10.194.0.1", "10.194.0.2/22")
	two := container(t, "mu1", "10.194.0.1", "10.194.0.3/22")
	inside := container(t, "mu1", "10.194.0.1", "10.194.0.9/22")
	one.listen(t, ":80", "one")
	two.listen(t, ":80", "two")
	thisHost(t).listen(t, ":8080", "user")
	f := start(t, Config{})
	rules := twoNetworks()

	const n = 200
	apply(t, f, with(rules, published("tcp", 4, "10.194.0.2:80", "10.194.0.3:80")))
	// A quarter each, a quarter of 200 less than five times what chance makes of it.
	got := client.count(t, "192.0.2.1:8080", n)
	if got["one"] < 20 || got["two"] < 20 || got["user"] < 65 {
		t.Errorf("of 200 connections the two local ones of four tasks got %v", got)
	}
	if _, from, err := client.ask("192.0.2.1:8080"); err != nil || from != "192.0.2.2" {
		t.Errorf("a task saw %q as its client, %v", from, err)
	}
	apply(t, f, with(rules, published("tcp", 2, "10.194.0.2:80", "10.194.0.3:80")))
	if got := client.count(t, "192.0.2.1:8080", 40); got["user"] != 0 || len(got) != 2 {
		t.Errorf("all tasks are here, and connections went to %v", got)
	}
	if line := here(t, "tcp4"); line != "user 192.0.2.1" {
		t.Errorf("this host itself reached %q", line)
	}
	if name, _, err := inside.ask("192.0.2.1:8080"); name != "user" || err != nil {
		t.Errorf("a container reached %q, %v", name, err)
	}
	apply(t, f, rules)
	if got := client.count(t, "192.0.2.1:8080", 20); got["user"] != 20 {
		t.Errorf("no task is here, and connections went to %v", got)
	}
}

// Docker's chains forward to ports that a container publishes, and nothing else.
func TestPublishedPortWhereNothingElseIsForwarded(t *testing.T) {
	host(t)
	client := outside(t)
	newBridge(t, "mu1", "10.194.0.1/22")
	one := container(t, "mu1", "10.194.0.1", "10.194.0.2/22")
	one.listen(t, ":80", "one")
	f := start(t, Config{})
	apply(t, f, with(twoNetworks(), published("tcp", 1, "10.194.0.2:80")))
	nft(t, `table ip engine {
		chain forward {
			type filter hook forward priority 0; policy drop;
			ct state established,related accept
			iifname != "mu1" oifname "mu1" ip daddr 10.194.0.2 tcp dport 80 accept
		}
	}`)
	if got := client.count(t, "192.0.2.1:8080", 20); got["one"] != 20 {
		t.Errorf("connections went to %v", got)
	}
}

func TestUDPClientOfTaskThatLeftIsDealtOutAnew(t *testing.T) {
	host(t)
	client := outside(t)
	newBridge(t, "mu1", "10.194.0.1/22")
	one := container(t, "mu1", "10.194.0.1", "10.194.0.2/22")
	two := container(t, "mu1", "10.194.0.1", "10.194.0.3/22")
	inside := container(t, "mu1", "10.194.0.1", "10.194.0.9/22")
	one.listenUDP(t, ":53", "one")
	two.listenUDP(t, ":53", "two")
	f := start(t, Config{})
	rules := func(at string) network.Rules {
		return with(twoNetworks(network.VirtualService{Bridge: "mu1", Address: addr("10.193.0.1"), Tasks: addrs(at)}),
			published("udp", 1, at+":53"))
	}
	apply(t, f, rules("10.194.0.2"))
	fromOutside, err := client.dial("udp4", "192.0.2.1:8080", patience)
	must(t, err)
	defer fromOutside.Close()
	fromInside, err := inside.dial("udp4", "10.193.0.1:53", patience)
	must(t, err)
	defer fromInside.Close()
	for _, want := range []string{"one", "two"} {
		for name, c := range map[string]net.Conn{"outside": fromOutside, "inside": fromInside} {
			if got := exchange(t, c); got != want {
				t.Errorf("the client %s got an answer of %q, want %q", name, got, want)
			}
		}
		apply(t, f, rules("10.194.0.3"))
	}
}

func exchange(t *testing.T, c net.Conn) string {
	t.Helper()
	_, err := c.Write([]byte("who"))
	must(t, err)
	buf := make([]byte, 64)
	n, err := c.Read(buf)
	must(t, err)
	return string(buf[:n])
}

// nft writes rules of somebody else, which are gone with the test.
func nft(t *testing.T, text string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "nft", "-f", "-")
	run(t, cmd, text)
	t.Cleanup(func() { _ = exec.Command("nft", "delete", "table", "ip", "engine").Run() })
}
