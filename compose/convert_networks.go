package compose

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/musterhq/muster/cluster"
)

// network is one of the file's networks as the cluster knows it.
type network struct {
	id   cluster.NetworkID
	spec *cluster.NetworkSpec // nil for another stack's
	used bool
}

// networks are those of the file, by their key there.
func networks(project *types.Project) (map[string]*network, []Warning, error) {
	out := make(map[string]*network, len(project.Networks))
	var warnings []Warning
	for _, key := range slices.Sorted(maps.Keys(project.Networks)) {
		c := &networkConverter{field: "networks." + key, key: key, config: project.Networks[key]}
		n, err := c.network(project.Name)
		if err != nil {
			return nil, nil, err
		}
		out[key] = n
		warnings = append(warnings, c.warnings...)
	}
	return out, warnings, nil
}

// declared are the networks that the stack has: those that a service is in, and
// those that others may join.
func declared(all map[string]*network) []cluster.NetworkSpec {
	var out []cluster.NetworkSpec
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if n := all[key]; n.spec != nil && (n.used || n.spec.Shared) {
			out = append(out, *n.spec)
		}
	}
	return out
}

type networkConverter struct {
	field    string
	key      string
	config   types.NetworkConfig
	warnings []Warning
}

func (c *networkConverter) warn(name, message string) {
	c.warnings = append(c.warnings, Warning{join(c.field, name), message})
}

func (c *networkConverter) network(stack string) (*network, error) {
	own, _ := c.config.Extensions[ourExtension].(map[string]any)
	if c.config.External {
		id, err := c.external(own)
		return &network{id: id}, err
	}
	if own["network"] != nil {
		return nil, cluster.Invalid(c.field+"."+ourExtension+".network", "is set, and the network is not external", "add external: true")
	}
	if name := c.config.Name; name != "" && name != stack+"_"+c.key {
		c.warn("name", "has no effect: Muster makes the names of its networks of stack and network")
	}
	spec := &cluster.NetworkSpec{Name: c.key, Internal: c.config.Internal}
	if shared, ok := own["shared"]; ok {
		if spec.Shared, ok = shared.(bool); !ok {
			return nil, cluster.Invalid(c.field+"."+ourExtension+".shared", fmt.Sprintf("%v is neither true nor false", shared), "write shared: true")
		}
	}
	err := c.subnet(spec)
	return &network{id: cluster.NewNetworkID(stack, c.key), spec: spec}, err
}

// external finds the stack's network that is meant: by our own word for it, or by
// the name that docker compose gives to a stack's networks.
func (c *networkConverter) external(own map[string]any) (cluster.NetworkID, error) {
	name, sep, field := c.config.Name, "_", c.field+".name"
	if given, ok := own["network"]; ok {
		name, sep, field = fmt.Sprint(given), "/", c.field+"."+ourExtension+".network"
	}
	stack, network, ok := strings.Cut(name, sep)
	if !ok || cluster.ValidateName(field, stack) != nil || cluster.ValidateNetworkName(field, network) != nil {
		return "", cluster.Invalid(field, fmt.Sprintf("%q names no network of a stack", name),
			"external networks are those of other stacks with x-muster.shared: true; give one as name: STACK_NETWORK, or as x-muster.network: STACK/NETWORK")
	}
	return cluster.NewNetworkID(stack, network), nil
}

// subnet takes the first IPv4 subnet that the file gives.
func (c *networkConverter) subnet(spec *cluster.NetworkSpec) error {
	for i, pool := range c.config.Ipam.Config {
		if pool == nil || pool.Subnet == "" {
			continue
		}
		name := fmt.Sprintf("ipam.config[%d].subnet", i)
		p, err := netip.ParsePrefix(pool.Subnet)
		switch {
		case err != nil:
			return cluster.Invalid(join(c.field, name), fmt.Sprintf("%q is not a subnet", pool.Subnet), "give one such as 172.28.0.0/16")
		case !p.Addr().Is4():
			c.warn(name, "has no effect: networks have IPv4 only")
		case spec.Subnet.IsValid():
			c.warn(name, "has no effect: a network has one subnet")
		default:
			spec.Subnet = p.Masked()
		}
	}
	return nil
}

// joins puts the service into its networks. The first one has the way to the
// world: what the file says of that, then one that leads there at all.
func (c *converter) joins(spec *cluster.ServiceSpec) error {
	if spec.Template.Container.NetworkMode != "" {
		return nil
	}
	in := c.config.Networks
	if len(in) == 0 { // network_mode: bridge has no network in the file
		in = map[string]*types.ServiceNetworkConfig{cluster.DefaultNetwork: nil}
		if c.networks[cluster.DefaultNetwork] == nil {
			c.networks[cluster.DefaultNetwork] = &network{
				id:   cluster.NewNetworkID(c.project.Name, cluster.DefaultNetwork),
				spec: &cluster.NetworkSpec{Name: cluster.DefaultNetwork},
			}
		}
	}
	keys := slices.SortedFunc(maps.Keys(in), func(a, b string) int {
		return cmp.Or(-cmp.Compare(wayOut(in[a]), wayOut(in[b])), cmp.Compare(c.closed(a), c.closed(b)), cmp.Compare(a, b))
	})
	for _, key := range keys {
		n := c.networks[key]
		if n == nil {
			return c.invalid("networks."+key, "is not among the file's networks", "declare it there, or remove it here")
		}
		n.used = true
		link := cluster.NetworkLink{Network: n.id}
		if config := in[key]; config != nil {
			link.Aliases = distinct(config.Aliases)
		}
		spec.Template.Networks = append(spec.Template.Networks, link)
	}
	return nil
}

// wayOut is what the file says of the network that leads to the world.
func wayOut(config *types.ServiceNetworkConfig) int {
	if config == nil {
		return 0
	}
	return cmp.Or(config.GatewayPriority, config.Priority)
}

// closed is 1 for a network that leads nowhere outside, as far as the file knows.
func (c *converter) closed(key string) int {
	if n := c.networks[key]; n != nil && n.spec != nil && n.spec.Internal {
		return 1
	}
	return 0
}

// distinct drops what is there before; the rest stays in its order.
func distinct(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
