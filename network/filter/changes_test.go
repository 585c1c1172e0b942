package filter

import (
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/network"
)

// drawRules are those of a small host: few names, so that rules share much.
func drawRules(t *rapid.T) network.Rules {
	number := func(name string, most int) int { return rapid.IntRange(0, most).Draw(t, name) }
	r := network.Rules{VXLANFrom: rapid.SampledFrom([]string{"", "muster0"}).Draw(t, "from"), Virtual: netip.MustParsePrefix("10.193.0.0/16")}
	if number("ranges", 4) > 0 {
		r.Ranges = []netip.Prefix{netip.MustParsePrefix("10.192.0.0/11")}
	}
	for b := range number("bridges", 3) {
		name := fmt.Sprintf("mu%d", b+1)
		r.Bridges = append(r.Bridges, network.Bridge{Name: name, Gateway: netip.AddrFrom4([4]byte{10, 194, byte(4 * b), 1})})
		for s := range number("services", 3) {
			v := network.VirtualService{Bridge: name, Address: netip.AddrFrom4([4]byte{10, 193, 0, byte(s)})}
			for range number("tasks", 4) {
				v.Tasks = append(v.Tasks, netip.AddrFrom4([4]byte{10, 194, byte(4 * b), byte(2 + number("task", 5))}))
			}
			r.Services = append(r.Services, v)
		}
	}
	for p := range number("ports", 3) {
		pub := network.PublishedPort{Protocol: rapid.SampledFrom([]string{"tcp", "udp"}).Draw(t, "protocol"), Port: uint16(80 + p), Of: number("of", 5)}
		for range number("locals", 3) {
			pub.Tasks = append(pub.Tasks, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 194, 0, byte(2 + number("local", 5))}), 80))
		}
		r.Published = append(r.Published, pub)
	}
	if number("peers", 2) > 0 {
		r.Peers = []netip.Addr{netip.AddrFrom4([4]byte{10, 192, 0, byte(number("peer", 3))})}
	}
	return r
}

// Whatever the kernel holds, a change leads to the same as writing all anew.
func TestChangesLeadToTheWhole(t *testing.T) {
	needRoot(t)
	defer func() { _ = new(kernel).remove() }()
	list := func() string { return run(t, exec.Command("nft", "-s", "list", "ruleset"), "") }
	rapid.Check(t, func(rt *rapid.T) {
		first, second := build(drawRules(rt)), build(drawRules(rt))
		var changed, whole kernel
		for _, r := range []ruleset{first, second} {
			if err := changed.write(r); err != nil {
				rt.Fatal(err)
			}
		}
		if intact, err := changed.intact(); !intact {
			rt.Fatalf("the kernel does not hold\n%s\nbut\n%s\n(%v)", second, list(), err)
		}
		got := sorted(list())
		if err := whole.write(second); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(sorted(list()), got); diff != "" {
			rt.Fatalf("written anew, and changed (-anew +changed):\n%s", diff)
		}
	})
}

// A change writes what differs and nothing else.
func TestChangesAreSmall(t *testing.T) {
	before, after := example(), example()
	after.Services = append([]network.VirtualService{{Bridge: "mu1", Address: addr("10.193.0.1"), Tasks: addrs("10.194.0.2", "10.194.0.3", "10.194.0.4")}}, after.Services[1:]...)
	c, possible := changesBetween(build(before)[0], build(after)[0])
	if !possible || len(c.newChains) != 1 || c.newChains[0].name != "one-of-3" || len(c.changedChains)+len(c.goneChains) != 0 {
		t.Fatalf("chains: %+v", c)
	}
	elements := map[string]int{}
	for _, e := range c.elements {
		elements[e.set.name] = len(e.leave) - len(e.come)
		if len(e.leave)+len(e.come) > 2 {
			t.Errorf("%s: %d elements leave and %d come", e.set.name, len(e.leave), len(e.come))
		}
	}
	if diff := cmp.Diff(map[string]int{"services": 0, "tasks": -1, "selves": -1}, elements); diff != "" {
		t.Error(diff)
	}
}

// Ten thousand services go in as one, and a change of one of them costs no more
// than itself.
func TestTenThousandServices(t *testing.T) {
	needRoot(t)
	var r network.Rules
	for i := range 10_000 {
		s := network.VirtualService{Bridge: fmt.Sprintf("mu%d", i/1000), Address: netip.AddrFrom4([4]byte{10, 193, byte(i >> 8), byte(i)})}
		for n := range 10 {
			s.Tasks = append(s.Tasks, netip.AddrFrom4([4]byte{10, byte(194 + n), byte(i >> 8), byte(i)}))
		}
		r.Services = append(r.Services, s)
	}
	var k kernel
	defer func() { must(t, k.remove()) }()
	began := time.Now()
	must(t, k.write(build(r)))
	t.Logf("10,000 services of 10 tasks: %s", time.Since(began))
	if intact, err := k.intact(); !intact {
		t.Errorf("the kernel does not hold them: %v", err)
	}
	r.Services[7].Tasks = r.Services[7].Tasks[1:]
	began = time.Now()
	must(t, k.write(build(r)))
	t.Logf("one task less: %s", time.Since(began))
	if rules := len(build(r)[0].chains); rules > 6 {
		t.Errorf("there are %d chains", rules)
	}
}

// sorted is a listing without the order that the kernel keeps elements and chains
// in.
func sorted(listing string) []string {
	words := strings.FieldsFunc(listing, func(r rune) bool { return r == '\n' || r == ',' })
	for i := range words {
		words[i] = strings.TrimSpace(strings.NewReplacer("elements = {", "", "}", "").Replace(words[i]))
	}
	slices.Sort(words)
	return words
}
