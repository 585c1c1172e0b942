package filter

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/network"
)

var update = flag.Bool("update", false, "write testdata anew")

func TestRuleset(t *testing.T) {
	plain := example()
	plain.VXLANFrom, plain.Peers = "", []netip.Addr{addr("192.0.2.7"), addr("2001:db8::7")}
	for name, r := range map[string]network.Rules{"ruleset": example(), "plain": plain, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			path, got := filepath.Join("testdata", name+".golden"), build(r).String()
			if *update {
				must(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			must(t, err)
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s\nRun the test with -update if that is right.", path, diff)
			}
		})
	}
}

func TestIntervalsAreJoined(t *testing.T) {
	p := netip.MustParsePrefix
	got := set{key: []field{destination}, interval: true, elements: intervals([]netip.Prefix{
		p("10.1.0.0/16"), p("10.0.0.0/16"), p("10.0.3.0/24"), p("240.0.0.0/4"), p("2001:db8::/32"), p("172.16.5.4/12"),
	})}
	var b strings.Builder
	got.write(&b)
	want := "\tset  {\n\t\ttype ipv4_addr\n\t\tflags interval\n" +
		"\t\tfrom 10.0.0.0\n\t\tbefore 10.2.0.0\n\t\tfrom 172.16.0.0\n\t\tbefore 172.32.0.0\n\t\tfrom 240.0.0.0\n\t}\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
