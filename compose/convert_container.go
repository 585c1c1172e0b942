package compose

import (
	"maps"
	"slices"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/musterhq/muster/cluster"
)

// container makes all of the container's spec except for its ports and
// resources, which belong to the template.
func (c *converter) container() (cluster.ContainerSpec, error) {
	s := c.config
	mounts, err := c.mounts()
	if err != nil {
		return cluster.ContainerSpec{}, err
	}
	out := cluster.ContainerSpec{
		Image:       cluster.Image{Ref: s.Image},
		Command:     list(s.Command),
		Entrypoint:  list(s.Entrypoint),
		Env:         c.environment(),
		Labels:      nonEmpty(s.Labels),
		Healthcheck: healthcheck(s.HealthCheck),
		Mounts:      mounts,
		User:        s.User,
		WorkingDir:  s.WorkingDir,
		CapAdd:      list(s.CapAdd),
		CapDrop:     list(s.CapDrop),
		ReadOnly:    s.ReadOnly,
		Ulimits:     ulimits(s.Ulimits),
		ExtraHosts:  extraHosts(s.ExtraHosts),
		Init:        s.Init,
		Devices:     devices(s.Devices),
		Privileged:  s.Privileged,
		StopSignal:  s.StopSignal,
		StopGrace:   duration(s.StopGracePeriod),
		Hostname:    s.Hostname,
		TTY:         s.Tty,
		OpenStdin:   s.StdinOpen,
		ShmSize:     int64(s.ShmSize),
		Sysctls:     nonEmpty(s.Sysctls),
		SecurityOpt: list(s.SecurityOpt),
		GroupAdd:    list(s.GroupAdd),
		NetworkMode: c.networkMode(),
	}
	if s.Logging != nil {
		out.Logging = &cluster.Logging{Driver: s.Logging.Driver, Options: nonEmpty(s.Logging.Options)}
	}
	c.warnEmpty("command", s.Command)
	c.warnEmpty("entrypoint", s.Entrypoint)
	return out, nil
}

// warnEmpty tells of an empty list, which Compose takes for a wish to clear
// the image's own.
func (c *converter) warnEmpty(name string, args types.ShellCommand) {
	if args != nil && len(args) == 0 {
		c.warn(name, "has no effect when empty: the image's own stays")
	}
}

// networkMode is the mode that the spec takes; others than these are refused
// by the table.
func (c *converter) networkMode() string {
	switch mode := c.config.NetworkMode; mode {
	case "default":
		return ""
	case "bridge":
		c.warn("network_mode", "has no effect: the service is in the stack's network")
		return ""
	default:
		return mode
	}
}

func (c *converter) environment() map[string]string {
	out := make(map[string]string, len(c.config.Environment))
	for key, value := range c.config.Environment {
		if value == nil {
			c.warn("environment."+key, "has no value here or in the shell and was left out")
			continue
		}
		out[key] = *value
	}
	return nonEmpty(out)
}

func healthcheck(h *types.HealthCheckConfig) *cluster.Healthcheck {
	if h == nil {
		return nil
	}
	if h.Disable || len(h.Test) > 0 && h.Test[0] == "NONE" {
		return &cluster.Healthcheck{Test: []string{"NONE"}}
	}
	return &cluster.Healthcheck{
		Test:          list(h.Test),
		Interval:      duration(h.Interval),
		Timeout:       duration(h.Timeout),
		StartPeriod:   duration(h.StartPeriod),
		StartInterval: duration(h.StartInterval),
		Retries:       count(h.Retries),
	}
}

func ulimits(in map[string]*types.UlimitsConfig) []cluster.Ulimit {
	var out []cluster.Ulimit
	for _, name := range slices.Sorted(maps.Keys(in)) {
		u := in[name]
		switch {
		case u == nil:
		case u.Single != 0:
			out = append(out, cluster.Ulimit{Name: name, Soft: int64(u.Single), Hard: int64(u.Single)})
		default:
			out = append(out, cluster.Ulimit{Name: name, Soft: int64(u.Soft), Hard: int64(u.Hard)})
		}
	}
	return out
}

func extraHosts(in types.HostsList) []string {
	out := in.AsList(":")
	slices.Sort(out)
	return list(out)
}

func devices(in []types.DeviceMapping) []cluster.Device {
	var out []cluster.Device
	for _, d := range in {
		device := cluster.Device{Source: d.Source, Target: d.Target, Permissions: d.Permissions}
		if device.Target == "" {
			device.Target = d.Source
		}
		out = append(out, device)
	}
	return out
}

func duration(d *types.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return time.Duration(*d)
}

// count makes an int of n; one that is too large stays too large for validation.
func count(n *uint64) int {
	const large = 1 << 31
	if n == nil {
		return 0
	}
	return int(min(*n, large))
}

// list returns items as a plain list, nil when there are none; see nonEmpty.
func list[S ~[]string](items S) []string {
	if len(items) == 0 {
		return nil
	}
	return items
}

// nonEmpty returns m as a plain map, nil when there is nothing in it, so that
// equal specs are equal in every encoding.
func nonEmpty[M ~map[string]string](m M) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}
