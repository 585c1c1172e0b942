package agent

import (
	"net"
	"testing"

	"github.com/musterhq/muster/agent/checkup"
	"github.com/musterhq/muster/configs"
	"github.com/musterhq/muster/network/overlay"
)

func TestLinkMTU(t *testing.T) {
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 && i.Flags&net.FlagUp != 0 {
			if got := checkup.LinkMTU("127.0.0.1"); got != i.MTU {
				t.Errorf("the link of 127.0.0.1 has %d, want %d as %s", got, i.MTU, i.Name)
			}
			return
		}
	}
	t.Log("this host has no loopback interface that is up")
}

// The key that the cluster is told is the one that the data plane finds.
func TestNetworkKeyIsOfTheDataDirectory(t *testing.T) {
	dir := t.TempDir()
	told, err := networksOf(&DataPlane{}).Key(dir)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := overlay.LoadKey(dir)
	if err != nil || kept.Public() != told {
		t.Errorf("the data plane finds %s, %v; the cluster is told %s", kept.Public(), err, told)
	}
}

func TestFactsOfTheNetworks(t *testing.T) {
	a := &Agent{cfg: configs.Default(), host: Host{Stats: oneCore{}}}
	n, err := a.describeHost(t.Context(), "10.0.0.1")
	if err != nil || n.NetworkKey != "" || n.NetworkPort != 0 || n.Routes != nil {
		t.Errorf("a host that is in no networks tells key %q, port %d, routes %v, %v", n.NetworkKey, n.NetworkPort, n.Routes, err)
	}
	a.host.Networks, a.networkKey = networksOf(&DataPlane{}), "key"
	n, err = a.describeHost(t.Context(), "10.0.0.1")
	if err != nil || n.NetworkKey != "key" || n.NetworkPort != configs.DefaultNetworkPort {
		t.Errorf("the host tells key %q, port %d, %v", n.NetworkKey, n.NetworkPort, err)
	}
}
