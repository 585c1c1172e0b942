package filter

import (
	"errors"
	"log/slog"
	"net/netip"
	"syscall"
	"testing"

	"github.com/musterhq/muster/network"
)

// start runs a filter that is gone with the test.
func start(t *testing.T, cfg Config) *Filter {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	f := New(cfg)
	t.Cleanup(func() { f.Close(true) })
	return f
}

// set has the kernel hold the rules.
func apply(t *testing.T, f *Filter, r network.Rules) {
	t.Helper()
	f.Set(r)
	must(t, f.Settle(t.Context()))
	if !f.Effective() {
		t.Fatal(f.Problems())
	}
}

func addrs(all ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range all {
		out = append(out, addr(a))
	}
	return out
}

// twoNetworks are the rules of a host with the bridges mu1 and mu2.
func twoNetworks(services ...network.VirtualService) network.Rules {
	return network.Rules{
		VXLANFrom: "muster0",
		Services:  services,
		Bridges:   []network.Bridge{{Name: "mu1", Gateway: addr("10.194.0.1")}, {Name: "mu2", Gateway: addr("10.194.4.1")}},
		Ranges:    []netip.Prefix{netip.MustParsePrefix("10.192.0.0/11")},
		Virtual:   netip.MustParsePrefix("10.193.0.0/16"),
	}
}

func TestServiceIsReachedAtItsOwnAddress(t *testing.T) {
	host(t)
	outside(t)
	newBridge(t, "mu1", "10.194.0.1/22")
	newBridge(t, "mu2", "10.194.4.1/22")
	client := container(t, "mu1", "10.194.0.1", "10.194.0.9/22")
	stranger := container(t, "mu2", "10.194.4.1", "10.194.4.9/22")
	one := container(t, "mu1", "10.194.0.1", "10.194.0.2/22")
	two := container(t, "mu1", "10.194.0.1", "10.194.0.3/22")
	one.listen(t, ":80", "one")
	two.listen(t, ":80", "two")
	f := start(t, Config{})
	web := network.VirtualService{Bridge: "mu1", Address: addr("10.193.0.1"), Tasks: addrs("10.194.0.2", "10.194.0.3")}
	apply(t, f, twoNetworks(web))
	if !f.Virtual() {
		t.Fatal(f.Problems())
	}

	if got := client.count(t, "10.193.0.1:80", 60); got["one"] < 15 || got["two"] < 15 {
		t.Errorf("of 60 connections the tasks got %v", got)
	}
	if _, from, err := client.ask("10.193.0.1:80"); from != "10.194.0.9" || err != nil {
		t.Errorf("the task saw %q as its client, %v", from, err)
	}
	if !stranger.silent("10.193.0.1:80") {
		t.Error("a network that the service is not in reaches it")
	}

	// A task that calls its own service reaches itself as well as others.
	if got := one.count(t, "10.193.0.1:80", 40); got["one"] < 5 || got["two"] < 5 {
		t.Errorf("of 40 connections that a task of the service opened the tasks got %v", got)
	}

	kept, err := client.dial("tcp4", "10.193.0.1:80", patience)
	must(t, err)
	defer kept.Close()
	first, err := readLine(kept)
	must(t, err)
	web.Tasks = addrs("10.194.0.3")
	if first == "two 10.194.0.9" {
		web.Tasks = addrs("10.194.0.2")
	}
	apply(t, f, twoNetworks(web))
	if got := client.count(t, "10.193.0.1:80", 20); len(got) != 1 || got[first[:3]] != 0 {
		t.Errorf("after %s left, connections went to %v", first[:3], got)
	}
	_, err = kept.Write([]byte("still here\n"))
	must(t, err)
	if line, err := readLine(kept); line != "still here" || err != nil {
		t.Errorf("the connection to the task that left got %q, %v", line, err)
	}

	web.Tasks = nil
	apply(t, f, twoNetworks(web))
	if _, _, err := client.ask("10.193.0.1:80"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("without tasks a client sees %v", err)
	}
}
