package runtimetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

func testNetworks(t *testing.T, b *bench) {
	var g sync.WaitGroup
	requests := make([]runtime.Create, 4)
	for i := range requests {
		requests[i] = b.network(b.request("serve"))
		requests[i].Networks[0].Aliases = []string{"web"}
	}
	for _, r := range requests {
		g.Go(func() { b.start(t, r) })
	}
	g.Wait()
	for _, r := range requests { // a second network of the name would make the start ambiguous
		if c := b.inspect(t, r.Name); c.Status != runtime.StatusRunning {
			t.Errorf("%s is %s", c.Name, c.Status)
		}
	}
	want(t, "RemoveNetworks in use", b.RemoveNetworks(t.Context(), b.fixture.Cluster, nil), nil)
	id := b.start(t, b.network(b.request("serve")))
	all, err := b.List(t.Context(), b.fixture.Cluster)
	want(t, "List", err, nil)
	for _, c := range all {
		want(t, "Stop", b.Stop(t.Context(), c.ID, 10*time.Second), nil)
	}
	want(t, "RemoveNetworks, kept", b.RemoveNetworks(t.Context(), b.fixture.Cluster, map[string]bool{requests[0].Networks[0].Name: true}), nil)
	want(t, "Start on the kept network", b.Start(t.Context(), id), nil)
	want(t, "Stop", b.Stop(t.Context(), id, 10*time.Second), nil)
	want(t, "RemoveNetworks", b.RemoveNetworks(t.Context(), b.fixture.Cluster, nil), nil)
	want(t, "Start without its network", b.Start(t.Context(), id), runtime.ErrNotFound)
	want(t, "Remove", b.Remove(t.Context(), id), nil)
	b.start(t, b.network(b.request("serve"))) // makes the network anew
}

// networkNumber tells the networks of this process from each other and, most
// likely, from those of others on the host.
var networkNumber = func() *atomic.Uint32 {
	n := &atomic.Uint32{}
	n.Store(1<<31 + rand.Uint32N(1<<30))
	return n
}()

// spanning is a network of the host that is part of one across hosts. Subnets are /28 of 100.64.0.0/10 (RFC 6598).
func (b *bench) spanning(name string) runtime.Network {
	number := networkNumber.Add(1)
	at := 100<<24 | 64<<16 | (number&0x3ffff)<<4
	subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(at >> 24), byte(at >> 16), byte(at >> 8), byte(at)}), 28)
	n := runtime.Network{
		Name:    "muster-" + strings.ToLower(b.fixture.Cluster) + "-" + name + "-1",
		Labels:  map[string]string{runtime.LabelCluster: b.fixture.Cluster, runtime.LabelStack: "suite"},
		Bridge:  fmt.Sprintf("mu%d", number),
		Subnet:  subnet,
		Gateway: subnet.Addr().Next(),
		MTU:     1420,
	}
	return nth(n, 5)
}

// nth is the network with that address of it for the container.
func nth(n runtime.Network, number int) runtime.Network {
	n.Address = n.Subnet.Addr()
	for range number {
		n.Address = n.Address.Next()
	}
	n.MAC = cluster.MAC(n.Address)
	return n
}

// in lets the container join the networks.
func in(c runtime.Create, networks ...runtime.Network) runtime.Create {
	c.Spec.NetworkMode, c.Networks = "", networks
	c.DNS = []netip.Addr{networks[0].Gateway}
	return c
}

// interfaces is what the test program says of the container's: a line for each
// address, in their order, with the hardware address and the packet size, then the
// default gateway.
func (b *bench) interfaces(t *testing.T, id string) string {
	t.Helper()
	var out bytes.Buffer
	code, err := b.Exec(t.Context(), id, runtime.Exec{Cmd: []string{"/testprogram", "interfaces"}, Stdout: &out, Stderr: &out})
	if code != 0 || err != nil {
		t.Fatalf("interfaces = %d, %v: %s", code, err, &out)
	}
	return out.String()
}

// Interfaces is what the test program has to say of a container in the networks.
func Interfaces(networks ...runtime.Network) string {
	var lines []string
	for _, n := range networks {
		lines = append(lines, fmt.Sprintf("%s/%d %s mtu %d\n", n.Address, n.Subnet.Bits(), n.MAC, n.MTU))
	}
	slices.Sort(lines)
	lines = append(lines, fmt.Sprintf("default via %s\n", networks[0].Gateway))
	return strings.Join(lines, "")
}

func testAddresses(t *testing.T, b *bench) {
	n := b.spanning("front")
	id := b.start(t, in(b.request("serve"), n))
	if got, wanted := b.interfaces(t, id), Interfaces(n); got != wanted {
		t.Errorf("the container has\n%swant\n%s", got, wanted)
	}
	want(t, "Stop", b.Stop(t.Context(), id, 10*time.Second), nil)
	want(t, "Start again", b.Start(t.Context(), id), nil)
	if got, wanted := b.interfaces(t, id), Interfaces(n); got != wanted {
		t.Errorf("started again the container has\n%swant\n%s", got, wanted)
	}

	second := b.create(t, in(b.request("serve"), n))
	want(t, "Start with an address that is taken", b.Start(t.Context(), second), runtime.ErrAddressBusy)
	want(t, "Remove", b.Remove(t.Context(), second), nil)
	b.start(t, in(b.request("serve"), nth(n, 6)))
}

func testTwoNetworks(t *testing.T, b *bench) {
	front, back := b.spanning("a-front"), b.spanning("back") // old engines go by the names' order
	id := b.start(t, in(b.request("serve"), front, back))
	if got, wanted := b.interfaces(t, id), Interfaces(front, back); got != wanted {
		t.Errorf("the container has\n%swant\n%s", got, wanted)
	}
	want(t, "RemoveNetworks in use", b.RemoveNetworks(t.Context(), b.fixture.Cluster, nil), nil)
	want(t, "Stop", b.Stop(t.Context(), id, 10*time.Second), nil)
	keep := map[string]bool{back.Name: true}
	want(t, "RemoveNetworks", b.RemoveNetworks(t.Context(), b.fixture.Cluster, keep), nil)
	want(t, "Start without the first network", b.Start(t.Context(), id), runtime.ErrNotFound)
	want(t, "Remove", b.Remove(t.Context(), id), nil)
	id = b.create(t, in(b.request("serve"), front, back))
	want(t, "RemoveNetworks", b.RemoveNetworks(t.Context(), b.fixture.Cluster, map[string]bool{front.Name: true}), nil)
	want(t, "Start without the second network", b.Start(t.Context(), id), runtime.ErrNotFound)
}

// testInternal does not ask the container: engines give it a default route that
// leads nowhere, or none. What the engine says of the network has to be right.
func testInternal(t *testing.T, b *bench) {
	n := b.spanning("back")
	n.Internal = true
	b.start(t, in(b.request("serve"), n))
	b.start(t, in(b.request("serve"), nth(n, 6)))
	open := nth(n, 7)
	open.Internal = false
	_, err := b.Create(t.Context(), in(b.request("serve"), open))
	want(t, "Create in a network that is not to be internal", err, runtime.ErrConflict)
}

// testSubnetClash has another network in the way of one, by its addresses and by
// its bridge.
func testSubnetClash(t *testing.T, b *bench) {
	other := b.spanning("other")
	id := b.start(t, in(b.request("serve"), other))
	subnet, bridge := b.spanning("subnet"), b.spanning("bridge")
	subnet.Subnet, subnet.Gateway, subnet.Address, subnet.MAC = other.Subnet, other.Gateway, other.Address, other.MAC
	bridge.Bridge = other.Bridge
	for what, n := range map[string]runtime.Network{"subnet": subnet, "bridge": bridge} {
		_, err := b.Create(t.Context(), in(b.request("serve"), n))
		want(t, "Create with a "+what+" that is taken", err, runtime.ErrAddressBusy)
		if err == nil || !strings.Contains(err.Error(), other.Name) {
			t.Errorf("a %s that is taken: %v, want it to name %s", what, err, other.Name)
		}
	}
	want(t, "Stop", b.Stop(t.Context(), id, 10*time.Second), nil)
	b.start(t, in(b.request("serve"), subnet)) // what is not used makes room
}

// testNetworkAnew has a network that was removed and made anew elsewhere.
func testNetworkAnew(t *testing.T, b *bench) {
	old, anew := b.spanning("front"), b.spanning("front")
	id := b.start(t, in(b.request("serve"), old))
	_, err := b.Create(t.Context(), in(b.request("serve"), anew))
	want(t, "Create beside containers of the old one", err, runtime.ErrConflict)
	if err == nil || !strings.Contains(err.Error(), old.Subnet.String()) || !strings.Contains(err.Error(), anew.Subnet.String()) {
		t.Errorf("Create = %v, want both subnets named", err)
	}
	b.start(t, in(b.request("serve"), nth(old, 6))) // the old one is as good as it was
	all, err := b.List(t.Context(), b.fixture.Cluster)
	want(t, "List", err, nil)
	for _, c := range all {
		want(t, "Stop", b.Stop(t.Context(), c.ID, 10*time.Second), nil)
	}
	made := b.start(t, in(b.request("serve"), anew))
	if got, wanted := b.interfaces(t, made), Interfaces(anew); got != wanted {
		t.Errorf("the container has\n%swant\n%s", got, wanted)
	}
	if err := b.Start(t.Context(), id); err == nil {
		t.Error("a container of the old network starts in the new one")
	}
}
