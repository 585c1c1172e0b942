package agent

import (
	"net"
	"testing"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/configs"
)

func TestAdvertise(t *testing.T) {
	self := api.Member{ID: "N1", Address: "10.0.0.7", APIPort: 7070}
	other := api.Member{ID: "N2", Address: "127.0.0.1", APIPort: 7070}
	for _, tc := range []struct {
		name, configured string
		members          []api.Member
		want             string
	}{
		{"the configured one", "192.0.2.5", []api.Member{self, other}, "192.0.2.5"},
		{"the one that others are reached from", "", []api.Member{self, other}, "127.0.0.1"},
		{"alone, the one from before", "", []api.Member{self}, "10.0.0.7"},
	} {
		a := &Agent{cfg: configs.Config{Advertise: tc.configured}, nodeID: "N1"}
		if got, err := a.advertise(tc.members); err != nil || got != tc.want {
			t.Errorf("%s: %q, %v", tc.name, got, err)
		}
	}
	a := &Agent{nodeID: "N1"}
	if got, err := a.advertise(nil); err == nil && net.ParseIP(got) == nil { // a host without a route has none
		t.Errorf("the first node: %q", got)
	}
}
