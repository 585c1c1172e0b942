package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"github.com/musterhq/muster/runtime"
)

// Options of the engine's bridge driver.
const (
	optionBridge = "com.docker.network.bridge.name"
	optionMTU    = "com.docker.network.driver.mtu"
)

// newNetwork is what the engine is sent to make a network.
func newNetwork(n *runtime.Network) network.CreateOptions {
	out := network.CreateOptions{Driver: "bridge", Labels: maps.Clone(n.Labels)}
	if !n.Spans() {
		return out
	}
	out.Internal = n.Internal
	out.IPAM = &network.IPAM{Driver: "default", Config: []network.IPAMConfig{
		{Subnet: n.Subnet.String(), Gateway: n.Gateway.String()},
	}}
	out.Options = map[string]string{optionBridge: n.Bridge}
	if n.MTU > 0 {
		out.Options[optionMTU] = strconv.Itoa(n.MTU)
	}
	return out
}

// networkOf is what the engine says of a network. One that was not made for a
// network across hosts has no bridge of ours, whatever its subnet is.
func networkOf(s network.Summary) runtime.Network {
	out := runtime.Network{Name: s.Name, Labels: s.Labels, Bridge: s.Options[optionBridge], Internal: s.Internal}
	for _, c := range s.IPAM.Config {
		if p, err := netip.ParsePrefix(c.Subnet); err == nil && p.Addr().Is4() {
			out.Subnet = p
			out.Gateway, _ = netip.ParseAddr(c.Gateway)
		}
	}
	out.MTU, _ = strconv.Atoi(s.Options[optionMTU])
	return out
}

// isAs reports whether the network that is there is the wanted one.
func isAs(s network.Summary, wanted *runtime.Network) bool {
	is := networkOf(s)
	if !wanted.Spans() {
		return is.Bridge == "" // the engine chose the rest
	}
	return is.Is(wanted)
}

// dropOutdated removes the networks of ours that have the wanted one's name and
// are not it. They are those of a network that was removed and made anew. Where
// containers use one, that is an error. Packet sizes alone are no reason for one:
// they change when the last container has gone.
func (d *Driver) dropOutdated(ctx context.Context, wanted *runtime.Network, found []network.Summary) ([]network.Summary, error) {
	var out []network.Summary
	for _, s := range found {
		as := isAs(s, wanted)
		sized := wanted.MTU == 0 || networkOf(s).MTU == wanted.MTU
		if s.Labels[runtime.LabelCluster] == "" || as && sized {
			out = append(out, s)
			continue
		}
		gone, err := d.removeUnused(ctx, s)
		switch {
		case err != nil:
			return nil, err
		case !gone && as:
			out = append(out, s)
		case !gone:
			return nil, d.outdated(ctx, wanted, s)
		}
	}
	return out, nil
}

// outdated is the error of a network that is not the wanted one and is in use.
func (d *Driver) outdated(ctx context.Context, wanted *runtime.Network, s network.Summary) error {
	users := "containers"
	err := d.call(ctx, classRead, "inspect network "+s.Name, func(ctx context.Context, cl *client.Client) error {
		i, err := cl.NetworkInspect(ctx, s.ID, network.InspectOptions{})
		var names []string
		for _, c := range i.Containers {
			names = append(names, c.Name)
		}
		if slices.Sort(names); len(names) > 0 {
			users = strings.Join(names, ", ")
		}
		return err
	})
	return errors.Join(fmt.Errorf("%w: network %s of this host is %s, wanted is %s; it is made anew when nothing runs in it: stop %s",
		runtime.ErrConflict, s.Name, describeNetwork(networkOf(s)), describeNetwork(*wanted), users), err)
}

func describeNetwork(n runtime.Network) string {
	if !n.Spans() {
		return "one of this host alone"
	}
	text := n.Subnet.String()
	if n.Internal {
		text += ", internal"
	}
	if n.Bridge != "" {
		text += " on " + n.Bridge
	}
	return text
}

// makeNetwork makes the network, unless another process was faster. Networks of
// this cluster that nothing uses make room for it.
func (d *Driver) makeNetwork(ctx context.Context, n *runtime.Network) error {
	err := d.sendNetwork(ctx, n)
	if !errors.Is(err, runtime.ErrAddressBusy) {
		return err
	}
	switch there, roomErr := d.makeRoom(ctx, n); {
	case roomErr != nil:
		return fmt.Errorf("%w: %w", err, roomErr)
	case there:
		return nil
	}
	return d.sendNetwork(ctx, n)
}

// sendNetwork is the only place from which a network's payload leaves.
func (d *Driver) sendNetwork(ctx context.Context, n *runtime.Network) error {
	what := "create network " + n.Name
	if err := d.policy.checkBridge(n); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return d.call(ctx, classWrite, what, func(ctx context.Context, cl *client.Client) error {
		_, err := cl.NetworkCreate(ctx, n.Name, newNetwork(n))
		if cerrdefs.IsConflict(err) {
			return nil
		}
		return err
	})
}

// makeRoom removes what stands in the way of a network, if it is this cluster's
// and unused, and says who keeps the place otherwise. The wanted one may be there:
// another process was faster.
func (d *Driver) makeRoom(ctx context.Context, n *runtime.Network) (there bool, err error) {
	all, err := d.listNetworks(ctx)
	if err != nil {
		return false, err
	}
	for _, s := range all {
		other := networkOf(s)
		switch {
		case s.Name == n.Name && other.Is(n):
			return true, nil
		case !n.Clashes(&other):
			continue
		}
		gone := false
		if own := n.Labels[runtime.LabelCluster]; own != "" && s.Labels[runtime.LabelCluster] == own {
			if gone, err = d.removeUnused(ctx, s); err != nil {
				return false, err
			}
		}
		if !gone {
			return false, fmt.Errorf("network %s of this host has %s, and %s is needed; remove it with docker network rm %s, or deploy the stack with another subnet",
				s.Name, describeNetwork(other), describeNetwork(*n), s.Name)
		}
	}
	return false, nil
}
