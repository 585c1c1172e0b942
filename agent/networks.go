package agent

import (
	"net/netip"
	"os"

	"github.com/musterhq/muster/agent/checkup"
	"github.com/musterhq/muster/agent/hostroutes"
	"github.com/musterhq/muster/network"
	"github.com/musterhq/muster/network/overlay"
)

// Networks is what a host brings to the networks across hosts.
type Networks struct {
	// Key loads the public half of the host's key, which is in the data directory
	// and is made where there is none.
	Key func(dataDir string) (string, error)
	// Routes are the addresses that the host reaches by other ways.
	Routes func() ([]netip.Prefix, error)
}

// networksOf are this machine's. It has none where nobody could set them up: they
// take root, the agent's or that of its data plane.
func networksOf(traffic *DataPlane) *Networks {
	if traffic == nil && os.Geteuid() != 0 {
		return nil
	}
	return &Networks{
		Key: func(dataDir string) (string, error) {
			k, err := overlay.LoadKey(dataDir)
			if err != nil {
				return "", err
			}
			return k.Public(), nil
		},
		Routes: hostroutes.Read,
	}
}

// networkMTU is that of this host. While the cluster has not said whether traffic
// is encrypted it is taken to be: the smaller packets get through either way.
func (m *member) networkMTU() int {
	n := m.Table().Network
	host, _ := netip.ParseAddr(m.address)
	return network.MTU(checkup.LinkMTU(m.address), n.Encrypt || !n.Pool.IsValid(), host)
}
