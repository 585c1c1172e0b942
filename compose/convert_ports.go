package compose

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/musterhq/muster/cluster"
)

func (c *converter) ports(spec *cluster.ServiceSpec) error {
	if len(c.config.Ports) > 0 && c.config.NetworkMode == "host" {
		c.warn("ports", "have no effect with network_mode: host: the container listens on its node's own ports")
		return nil
	}
	for i, p := range c.config.Ports {
		port, err := c.port(fmt.Sprintf("ports[%d]", i), p)
		if err != nil {
			return err
		}
		spec.Template.Ports = append(spec.Template.Ports, port)
	}
	return nil
}

// port keeps what the user asked for where ingress cannot give it: a port that
// is bound to one address, or to any free one, stays on the task's node.
func (c *converter) port(name string, p types.ServicePortConfig) (cluster.Port, error) {
	out := cluster.Port{Protocol: p.Protocol, Mode: cluster.PortMode(p.Mode)}
	if out.Protocol == "" {
		out.Protocol = "tcp"
	}
	if out.Mode == "" {
		out.Mode = cluster.Ingress
	}
	if p.Target == 0 || p.Target > 65535 {
		return out, c.invalid(name+".target", fmt.Sprintf("%d is not a port", p.Target), "give a port between 1 and 65535")
	}
	out.Target = uint16(p.Target)
	if err := c.published(name, p.Published, &out); err != nil {
		return out, err
	}
	switch {
	case p.HostIP != "" && !unspecified(p.HostIP):
		out.HostIP = p.HostIP
		if out.Mode == cluster.Ingress {
			out.Mode = cluster.HostPort
			c.warn(name+".host_ip", "publishes the port on that address of the task's node only, as with mode: host; without it every node listens")
		}
	case out.Published == 0 && out.Mode == cluster.Ingress:
		out.Mode = cluster.HostPort
		c.warn(name+".published", "is missing: each task's node picks a free port, as with mode: host")
	}
	return out, nil
}

func (c *converter) published(name, published string, out *cluster.Port) error {
	if published == "" {
		return nil
	}
	if strings.Contains(published, "-") {
		return c.invalid(name+".published", fmt.Sprintf("%q is a range for one target", published), "give one port, or none for a free one")
	}
	n, err := strconv.ParseUint(published, 10, 16)
	if err != nil {
		return c.invalid(name+".published", fmt.Sprintf("%q is not a port", published), "give a port between 1 and 65535")
	}
	out.Published = uint16(n)
	return nil
}

// unspecified reports whether ip stands for every address of a node.
func unspecified(ip string) bool {
	addr, err := netip.ParseAddr(ip)
	return err == nil && addr.IsUnspecified()
}
