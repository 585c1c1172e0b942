package hostroutes

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestTidy(t *testing.T) {
	var in, want []netip.Prefix
	for _, p := range []string{"0.0.0.0/0", "192.168.1.0/24", "10.0.0.0/8", "10.194.0.0/22", "172.17.0.0/16", "192.168.1.0/24", "192.168.1.7/32", "9.9.9.9/32"} {
		in = append(in, netip.MustParsePrefix(p))
	}
	for _, p := range []string{"9.9.9.9/32", "10.0.0.0/8", "172.17.0.0/16", "192.168.1.0/24"} {
		want = append(want, netip.MustParsePrefix(p))
	}
	if got := tidy(append(in, netip.Prefix{})); !slices.Equal(got, want) {
		t.Errorf("tidy = %v, want %v", got, want)
	}
	var many []netip.Prefix
	for i := range 200 {
		many = append(many, netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/24", i)))
	}
	wide := netip.MustParsePrefix("192.168.0.0/16")
	if got := tidy(append(many, wide)); len(got) != Most || got[Most-1] != wide {
		t.Errorf("of %d prefixes %d are kept, the last %v, want %d with %v", len(many)+1, len(got), got[len(got)-1], Most, wide)
	}
}

// What is kept is in order and disjoint, and of few prefixes nothing is lost.
func TestTidyLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) netip.Prefix {
			a := netip.AddrFrom4([4]byte{byte(rapid.IntRange(0, 3).Draw(t, "a")), byte(rapid.IntRange(0, 3).Draw(t, "b")), 0, 0})
			return netip.PrefixFrom(a, rapid.IntRange(1, 32).Draw(t, "bits")).Masked()
		}), 0, Most).Draw(t, "prefixes")
		out := tidy(in)
		for i := range out {
			if i > 0 && (!out[i-1].Addr().Less(out[i].Addr()) || out[i-1].Overlaps(out[i])) {
				t.Fatalf("%v before %v in %v", out[i-1], out[i], out)
			}
		}
		for _, p := range in {
			if !slices.ContainsFunc(out, func(o netip.Prefix) bool { return o.Bits() <= p.Bits() && o.Contains(p.Addr()) }) {
				t.Fatalf("%v is lost in %v", p, out)
			}
		}
	})
}

func TestReadFindsTheAddressesOfThisHost(t *testing.T) {
	got, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addresses {
			n, ok := a.(*net.IPNet)
			if !ok || n.IP.To4() == nil || len(got) == Most {
				continue
			}
			address, _ := netip.AddrFromSlice(n.IP.To4())
			found := slices.ContainsFunc(got, func(p netip.Prefix) bool { return p.Contains(address) })
			if other := i.Flags&net.FlagLoopback == 0 && !own.MatchString(i.Name); found != other && other {
				t.Errorf("%s of %s is not in %v", address, i.Name, got)
			}
		}
	}
}

func TestOwnInterfaces(t *testing.T) {
	for name, want := range map[string]bool{"mu1": true, "mx12": true, "muster0": true, "mux": false, "eth0": false, "docker0": false, "mu": false, "muster01": false} {
		if own.MatchString(name) != want {
			t.Errorf("%s is ours: %v, want %v", name, !want, want)
		}
	}
}
