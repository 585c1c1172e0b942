package compose

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/musterhq/muster/cluster"
)

const (
	ownResources = ourExtension + ".resources"
	fewer        = "leave it out to ask for none"
)

// more takes what is reserved beyond CPU and memory: the devices of
// deploy.resources, and x-muster.resources.
func (c *converter) more(spec *cluster.ServiceSpec) error {
	t := &spec.Template
	if d := c.config.Deploy; d != nil && d.Resources.Reservations != nil {
		if err := c.reservedDevices(t, d.Resources.Reservations); err != nil {
			return err
		}
	}
	own, err := c.ownMapping(ourExtension, "resources")
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if err := c.ownResource(t, name, own[name]); err != nil {
			return err
		}
	}
	t.Reservations.MilliGPU = cluster.GPUs(t.Devices)
	return nil
}

// ownMapping is what the mapping at the place has under the name; nil where it has
// nothing.
func (c *converter) ownMapping(place, name string) (map[string]any, error) {
	own, _ := c.config.Extensions[place].(map[string]any)
	value, ok := own[name]
	if !ok {
		return nil, nil
	}
	mapping, ok := value.(map[string]any)
	if !ok {
		return nil, c.invalid(join(place, name), "is not a mapping", "write disk, bandwidth, gpu or devices below it")
	}
	return mapping, nil
}

func (c *converter) ownResource(t *cluster.Template, name string, value any) error {
	field := join(ownResources, name)
	switch name {
	case "disk":
		n, err := c.ownAmount(field, value, cluster.ParseDisk)
		t.Reservations.Disk, t.Limits.Disk = n, n
		return err
	case "bandwidth":
		n, err := c.ownAmount(field, value, cluster.ParseBandwidth)
		t.Reservations.Bandwidth = n
		return err
	case cluster.DeviceGPU:
		milli, err := c.ownAmount(field, value, cluster.ParseDevices)
		if err != nil {
			return err
		}
		return c.ask(t, field, cluster.DeviceRequest{Kind: cluster.DeviceGPU, Milli: milli})
	}
	return c.ownDevices(t, field, value)
}

// ownDevices are a number, or IDs, by kind.
func (c *converter) ownDevices(t *cluster.Template, field string, value any) error {
	kinds, ok := value.(map[string]any)
	if !ok {
		return c.invalid(field, "is not a mapping", "write the kind and how many, such as serial: 1")
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		at, r := join(field, kind), cluster.DeviceRequest{Kind: kind}
		if ids, ok := kinds[kind].([]any); ok {
			for _, id := range ids {
				r.IDs = append(r.IDs, fmt.Sprint(id))
			}
			r.Milli = int64(len(ids)) * cluster.WholeDevice
		} else {
			milli, err := c.ownAmount(at, kinds[kind], cluster.ParseDevices)
			if err != nil {
				return err
			}
			r.Milli = milli
		}
		if err := c.ask(t, at, r); err != nil {
			return err
		}
	}
	return nil
}

// ownAmount reads text or a number, which is more than nothing.
func (c *converter) ownAmount(field string, value any, parse func(string) (int64, error)) (int64, error) {
	switch value.(type) {
	case string, int, int64, uint64, float64:
	default:
		return 0, c.invalid(field, "is neither a number nor text", fewer)
	}
	n, err := parse(fmt.Sprint(value))
	switch {
	case err != nil:
		return 0, c.invalid(field, err.Error(), "")
	case n == 0:
		return 0, c.invalid(field, "asks for nothing", fewer)
	}
	return n, nil
}

// ask adds to what the service asks of devices.
func (c *converter) ask(t *cluster.Template, field string, r cluster.DeviceRequest) error {
	for _, other := range t.Devices {
		if other.Kind == r.Kind {
			return c.invalid(field, fmt.Sprintf("asks for devices of kind %s a second time", r.Kind), "ask once for all that are needed of a kind")
		}
	}
	t.Devices = append(t.Devices, r)
	return nil
}

// reservedDevices takes Compose's GPUs and Swarm's generic resources.
func (c *converter) reservedDevices(t *cluster.Template, r *types.Resource) error {
	const reservations = "deploy.resources.reservations"
	for i, d := range r.Devices {
		if err := c.reservedDevice(t, fmt.Sprintf("%s.devices[%d]", reservations, i), d); err != nil {
			return err
		}
	}
	for i, g := range r.GenericResources {
		field := fmt.Sprintf("%s.generic_resources[%d].discrete_resource_spec", reservations, i)
		if g.DiscreteResourceSpec == nil {
			return c.invalid(field, "is missing", "write kind and value below it")
		}
		kind := strings.ToLower(g.DiscreteResourceSpec.Kind)
		milli, err := c.ownAmount(field+".value", g.DiscreteResourceSpec.Value, cluster.ParseDevices)
		if err != nil {
			return err
		}
		if err := c.ask(t, field+".kind", cluster.DeviceRequest{Kind: kind, Milli: milli}); err != nil {
			return err
		}
	}
	return nil
}

func (c *converter) reservedDevice(t *cluster.Template, field string, d types.DeviceRequest) error {
	const all = -1 // also where neither a count nor IDs are given
	switch {
	case !slices.Equal(d.Capabilities, []string{cluster.DeviceGPU}):
		return c.invalid(field+".capabilities", fmt.Sprintf("are %q", d.Capabilities), "write [gpu]; what of the driver the container sees is said by NVIDIA_DRIVER_CAPABILITIES in its environment")
	case d.Driver != "" && d.Driver != "nvidia":
		return c.invalid(field+".driver", fmt.Sprintf("%q is not a driver that hands out devices", d.Driver), "leave it out for any, or write nvidia")
	case len(d.Options) > 0:
		return c.invalid(field+".options", "are not passed to the driver", "remove them")
	case d.Count == all && len(d.IDs) == 0:
		return c.invalid(field+".count", "is all, or missing, and that is another number on every node", "give a number such as 1")
	}
	r := cluster.DeviceRequest{Kind: cluster.DeviceGPU, Driver: d.Driver, IDs: d.IDs, Milli: int64(len(d.IDs)) * cluster.WholeDevice}
	if len(d.IDs) == 0 {
		milli, err := c.ownAmount(field+".count", strconv.FormatInt(int64(d.Count), 10), cluster.ParseDevices)
		if err != nil {
			return err
		}
		r.Milli = milli
	}
	return c.ask(t, field, r)
}
