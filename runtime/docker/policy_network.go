package docker

import (
	"net/netip"
	"regexp"
	"slices"

	"github.com/docker/docker/api/types/network"

	"github.com/musterhq/muster/runtime"
)

// bridgeName is what the bridges of our networks are called. The engine takes an
// interface that is there already for its bridge, so no other name is let through.
var bridgeName = regexp.MustCompile(`^mu[0-9]{1,10}$`)

// isOurs reports whether a reference to a network can be to one of ours.
func isOurs(ref string) bool { return ourName.MatchString(ref) || networkID.MatchString(ref) }

// checkNetworks allows host, none, and networks of ours by name or ID.
func checkNetworks(c *runtime.Create, pl payload) error {
	mode := string(pl.host.NetworkMode)
	if mode != "host" && mode != "none" && !isOurs(mode) {
		return refuse("network mode %q: only the stack's network, host and none are known", mode)
	}
	if pl.host.PublishAllPorts {
		return refuse("publishing all exposed ports; list them under ports instead")
	}
	if mac := pl.config.MacAddress; mac != "" && (len(c.Networks) == 0 || mac != c.Networks[0].MAC) { //nolint:staticcheck // as in attach
		return refuse("hardware address %q, which is not what was assigned", mac)
	}
	if pl.net != nil {
		for name, e := range pl.net.EndpointsConfig {
			if !isOurs(mode) || name != mode {
				return refuse("endpoint on network %q besides network mode %q", name, mode)
			}
			if err := checkEndpoint(c.Networks[:min(1, len(c.Networks))], name, e); err != nil {
				return err
			}
		}
	}
	for _, j := range pl.joins {
		if !isOurs(mode) || j.network == mode {
			return refuse("joining network %q besides network mode %q", j.network, mode)
		}
		if err := checkJoin(c, j); err != nil {
			return err
		}
	}
	return nil
}

// checkJoin allows to join the networks of the request after the first.
func checkJoin(c *runtime.Create, j join) error {
	if !isOurs(j.network) {
		return refuse("joining network %q, which is not Muster's", j.network)
	}
	return checkEndpoint(c.Networks[min(1, len(c.Networks)):], j.network, j.endpoint)
}

// checkEndpoint allows what the request says of one of the networks, and nothing
// besides.
func checkEndpoint(networks []runtime.Network, ref string, e *network.EndpointSettings) error {
	if e == nil {
		return nil
	}
	var address string
	if e.IPAMConfig != nil {
		address = e.IPAMConfig.IPv4Address
	}
	asked := slices.ContainsFunc(networks, func(n runtime.Network) bool {
		return (n.Name == ref || networkID.MatchString(ref)) && (!n.Address.IsValid() && address == "" || n.Address.String() == address) &&
			(e.MacAddress == "" || e.MacAddress == n.MAC) && slices.Equal(e.Aliases, n.Aliases)
	})
	switch {
	case !asked:
		return refuse("address %q and names %q on network %q are not what was assigned", address, e.Aliases, ref)
	case len(e.Links) > 0, len(e.DriverOpts) > 0, e.IPAMConfig != nil && (e.IPAMConfig.IPv6Address != "" || len(e.IPAMConfig.LinkLocalIPs) > 0):
		return refuse("links, options and further addresses on network %q", ref)
	}
	return nil
}

// checkBridge judges a network that is to be made.
func (policy) checkBridge(n *runtime.Network) error {
	if !ourName.MatchString(n.Name) {
		return refuse("network name %q is not of the form muster-STACK-NETWORK-NUMBER", n.Name)
	}
	if !n.Spans() {
		return nil
	}
	switch {
	case !bridgeName.MatchString(n.Bridge):
		return refuse("bridge %q of network %s is not of the form muNUMBER", n.Bridge, n.Name)
	case !n.Subnet.Addr().Is4(), n.Subnet != n.Subnet.Masked(), !n.Subnet.Contains(n.Gateway):
		return refuse("subnet %s of network %s, with its gateway %s, is none of IPv4 addresses", n.Subnet, n.Name, n.Gateway)
	case n.Address != (netip.Addr{}) && (!n.Subnet.Contains(n.Address) || n.Address == n.Gateway):
		return refuse("address %s is not a container's in network %s (%s)", n.Address, n.Name, n.Subnet)
	}
	return nil
}
