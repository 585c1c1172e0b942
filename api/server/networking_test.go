package server

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/musterhq/muster/cluster"
)

func TestWhatAHostTellsOfItsNetworks(t *testing.T) {
	const key = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
	route := netip.MustParsePrefix("192.168.1.0/24")
	for name, tc := range map[string]struct {
		key    string
		routes []netip.Prefix
		good   bool
	}{
		"nothing":          {good: true},
		"key and routes":   {key, []netip.Prefix{route}, true},
		"short key":        {key: "c2hvcnQ="},
		"no base64":        {key: "not a key"},
		"everything":       {key, []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, false},
		"IPv6":             {key, []netip.Prefix{netip.MustParsePrefix("fd00::/8")}, false},
		"host bits":        {key, []netip.Prefix{netip.MustParsePrefix("192.168.1.7/24")}, false},
		"no prefix at all": {key, []netip.Prefix{{}}, false},
		"too many":         {key, slices.Repeat([]netip.Prefix{route}, cluster.MaxRoutes+1), false},
	} {
		if err := checkNetworking(tc.key, tc.routes); (err == nil) != tc.good {
			t.Errorf("%s: %v, want it taken: %v", name, err, tc.good)
		}
	}
}
