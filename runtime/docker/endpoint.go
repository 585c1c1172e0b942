package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"

	"github.com/musterhq/muster/runtime"
)

// A container is made in its first network and then brought into the others,
// because engines before API 1.44 take one network only. Between the two calls
// anything may end. So the container carries the names of all its networks, and
// is not started before it is in each.

// join brings a container into one more network.
type join struct {
	network  string // name or ID
	endpoint *network.EndpointSettings
}

// gatewayPriority is the API version from which the network with the way to the
// world is ours to choose; it is the one whose name comes first before.
const gatewayPriority = "1.48"

// macByEndpoint is the API version from which a hardware address is an
// endpoint's; it is the container's before. Endpoints that are joined later have
// the wanted one there too: those engines make it of the address.
const macByEndpoint = "1.44"

func newEndpoint(n *runtime.Network, api string) *network.EndpointSettings {
	out := &network.EndpointSettings{Aliases: slices.Clone(n.Aliases)}
	if n.Address.IsValid() {
		out.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: n.Address.String()}
	}
	if versions.GreaterThanOrEqualTo(api, macByEndpoint) {
		out.MacAddress = n.MAC
	}
	return out
}

// attach enters the request's networks into its payload.
func (p *payload) attach(c *runtime.Create, s surroundings) {
	if len(s.networks) == 0 {
		p.host.NetworkMode = container.NetworkMode(c.Spec.NetworkMode)
		return
	}
	p.host.NetworkMode = container.NetworkMode(s.networks[0])
	first := newEndpoint(&c.Networks[0], s.api)
	if len(c.Networks) > 1 && versions.GreaterThanOrEqualTo(s.api, gatewayPriority) {
		first.GwPriority = 1
	}
	p.net = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{s.networks[0]: first}}
	if !versions.GreaterThanOrEqualTo(s.api, macByEndpoint) {
		p.config.MacAddress = c.Networks[0].MAC //nolint:staticcheck // the only way before API 1.44
	}
	for i := range c.Networks[1:] {
		p.joins = append(p.joins, join{s.networks[i+1], newEndpoint(&c.Networks[i+1], s.api)})
	}
	for _, a := range c.DNS {
		p.host.DNS = append(p.host.DNS, a.String())
	}
}

// networkNames is the label that says in which networks a container has to be; ""
// where the engine sees to it.
func networkNames(c *runtime.Create) string {
	if len(c.Networks) < 2 {
		return ""
	}
	var names []string
	for _, n := range c.Networks {
		names = append(names, n.Name)
	}
	return strings.Join(names, ",")
}

// unjoined is a network that the container has to be in and is not; "" if none.
func unjoined(c container.InspectResponse) string {
	if c.Config == nil || c.NetworkSettings == nil || c.Config.Labels[runtime.LabelNetworks] == "" {
		return ""
	}
	for name := range strings.SplitSeq(c.Config.Labels[runtime.LabelNetworks], ",") {
		if c.NetworkSettings.Networks[name] == nil {
			return name
		}
	}
	return ""
}

// joinAll brings a container that was just made into its other networks. One that
// could not be is removed.
func (d *Driver) joinAll(ctx context.Context, what, id string, c *runtime.Create, joins []join) error {
	for _, j := range joins {
		err := d.sendJoin(ctx, what, id, c, j)
		if err == nil {
			continue
		}
		if rmErr := d.Remove(context.WithoutCancel(ctx), id); rmErr != nil {
			return fmt.Errorf("%w; it is not in all of its networks and could not be removed: %w", err, rmErr)
		}
		return err
	}
	return nil
}

// sendJoin is the only place from which a join leaves.
func (d *Driver) sendJoin(ctx context.Context, what, id string, c *runtime.Create, j join) error {
	if err := checkJoin(c, j); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return d.call(ctx, classWrite, what+": join network "+j.network, func(ctx context.Context, cl *client.Client) error {
		return cl.NetworkConnect(ctx, j.network, id, j.endpoint)
	})
}
