package fake

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/musterhq/muster/runtime"
)

// ensureNetwork makes the network when it is absent, and anew when it is another
// one that nothing uses. Unused ones of the same cluster make room. The lock is
// held.
func (d *Driver) ensureNetwork(wanted *runtime.Network) error {
	for _, name := range slices.Sorted(maps.Keys(d.networks)) {
		n := d.networks[name]
		switch {
		case name == wanted.Name && n.Is(wanted):
			return nil
		case name == wanted.Name && d.used(name):
			return fmt.Errorf("%w: network %s has the subnet %s and not %s, and containers run in it", runtime.ErrConflict, name, n.Subnet, wanted.Subnet)
		case name == wanted.Name:
		case !wanted.Clashes(&n):
			continue
		case d.used(name) || n.Labels[runtime.LabelCluster] != wanted.Labels[runtime.LabelCluster]:
			return fmt.Errorf("%w: network %s has %s, and %s is needed", runtime.ErrAddressBusy, name, n.Subnet, wanted.Subnet)
		}
		delete(d.networks, name)
	}
	n := *wanted
	n.Labels = cloneLabels(wanted.Labels)
	d.networks[n.Name] = n
	return nil
}

// used reports whether a running container is in the network. The lock is held.
func (d *Driver) used(name string) bool {
	for _, c := range d.containers {
		if c.running() && slices.ContainsFunc(c.request.Networks, func(n runtime.Network) bool { return n.Name == name }) {
			return true
		}
	}
	return false
}

// connect finds the container's networks, and its addresses free. The lock is held.
func (d *Driver) connect(c *container) error {
	for _, n := range c.request.Networks {
		switch is, ok := d.networks[n.Name]; {
		case !ok:
			return fmt.Errorf("%w: network %s", runtime.ErrNotFound, n.Name)
		case n.Spans() && !is.Subnet.Contains(n.Address):
			return fmt.Errorf("%w: %s is no address of network %s", runtime.ErrInvalid, n.Address, n.Name)
		}
		for _, o := range d.containers {
			taken := func(m runtime.Network) bool { return m.Name == n.Name && m.Address == n.Address }
			if n.Address.IsValid() && o != c && o.running() && slices.ContainsFunc(o.request.Networks, taken) {
				return fmt.Errorf("%w: %s in network %s", runtime.ErrAddressBusy, n.Address, n.Name)
			}
		}
	}
	return nil
}

// RemoveNetworks removes the cluster's networks that no running container uses
// and whose name is not in keep.
func (d *Driver) RemoveNetworks(ctx context.Context, cluster string, keep map[string]bool) error {
	return d.do(ctx, OpNetwork, "", func() error {
		maps.DeleteFunc(d.networks, func(name string, n runtime.Network) bool {
			return n.Labels[runtime.LabelCluster] == cluster && !keep[name] && !d.used(name)
		})
		return nil
	})
}
