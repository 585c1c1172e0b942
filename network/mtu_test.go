package network

import (
	"net/netip"
	"testing"
)

func TestMTU(t *testing.T) {
	four, six := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")
	for _, tt := range []struct {
		link    int
		encrypt bool
		host    netip.Addr
		want    int
	}{
		{1500, false, four, 1450},
		{1500, true, four, 1370},
		{1500, false, six, 1430},
		{1500, true, six, 1370},
		{9000, true, four, 8870},
		{0, true, four, 1370},
		{600, true, four, 576},
	} {
		got := MTU(tt.link, tt.encrypt, tt.host)
		if got != tt.want {
			t.Errorf("link of %d bytes, encrypted %v, %s: %d, want %d", tt.link, tt.encrypt, tt.host, got, tt.want)
		}
		if tt.encrypt && tt.link > 1000 && HostMTU(tt.link)-got != vxlanOverhead {
			t.Errorf("link of %d bytes: packets of %d in frames of %d", tt.link, got, HostMTU(tt.link))
		}
	}
}
