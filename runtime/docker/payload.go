package docker

import (
	"maps"
	"slices"
	"strconv"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/go-connections/nat"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// payload is exactly what is sent to make a container.
type payload struct {
	name   string
	config *container.Config
	host   *container.HostConfig
	net    *network.NetworkingConfig
	joins  []join // sent one by one, once the container is there
}

// surroundings is what a payload depends on besides the request.
type surroundings struct {
	api      string   // version that is spoken
	cores    int64    // of the host; only asked for when a CPU limit is set
	networks []string // names or IDs of the request's networks
	quota    bool     // the engine limits what a container writes; only asked for when a disk limit is set
}

// setLabels are always set, so that no label of an image passes for ours.
var setLabels = []string{
	runtime.LabelCluster, runtime.LabelStack, runtime.LabelService,
	runtime.LabelSlot, runtime.LabelTask, runtime.LabelGeneration, runtime.LabelNetworks,
}

// ownLabels are those that are Muster's own on the container.
func ownLabels(c *runtime.Create) map[string]string {
	out := maps.Clone(c.Labels)
	if names := networkNames(c); names != "" {
		out[runtime.LabelNetworks] = names
	}
	return out
}

// newPayload translates the request; it decides nothing about its safety.
func newPayload(c *runtime.Create, s surroundings) payload {
	p := payload{name: c.Name, config: newConfig(c, s), host: newHostConfig(c, s)}
	exposed, bindings := ports(c.Publish)
	p.config.ExposedPorts, p.host.PortBindings = exposed, bindings
	p.attach(c, s)
	return p
}

func newConfig(c *runtime.Create, s surroundings) *container.Config {
	spec := &c.Spec
	grace := int(spec.Grace().Seconds())
	return &container.Config{
		Hostname:    spec.Hostname,
		User:        spec.User,
		Tty:         spec.TTY,
		OpenStdin:   spec.OpenStdin,
		Env:         env(c.Env, spec.Env),
		Cmd:         spec.Command,
		Healthcheck: healthcheck(spec.Healthcheck, s.api),
		Image:       imageOf(spec.Image),
		WorkingDir:  spec.WorkingDir,
		Entrypoint:  spec.Entrypoint,
		Labels:      labels(ownLabels(c), spec.Labels),
		StopSignal:  spec.StopSignal,
		StopTimeout: &grace,
	}
}

func newHostConfig(c *runtime.Create, s surroundings) *container.HostConfig {
	spec := &c.Spec
	h := &container.HostConfig{
		LogConfig:      logging(spec.Logging),
		RestartPolicy:  container.RestartPolicy{Name: container.RestartPolicyDisabled},
		CapAdd:         spec.CapAdd,
		CapDrop:        spec.CapDrop,
		ExtraHosts:     spec.ExtraHosts,
		GroupAdd:       spec.GroupAdd,
		Privileged:     spec.Privileged,
		ReadonlyRootfs: spec.ReadOnly,
		SecurityOpt:    spec.SecurityOpt,
		ShmSize:        spec.ShmSize,
		Sysctls:        spec.Sysctls,
		Init:           spec.Init,
		Resources:      resources(c, s.cores),
	}
	if s.quota && c.Limits.Disk > 0 {
		h.StorageOpt = map[string]string{"size": strconv.FormatInt(c.Limits.Disk, 10)}
	}
	h.Binds, h.Mounts = mounts(c)
	return h
}

// resources turns limits into hard limits and reservations into weights. A CPU
// limit at or above the host's cores is none: the engine refuses to be given
// more than there are.
func resources(c *runtime.Create, cores int64) container.Resources {
	r := container.Resources{
		Memory:            c.Limits.Memory,
		MemoryReservation: c.Reservations.Memory,
	}
	if milli := c.Limits.MilliCPU; milli > 0 && milli < cores*1000 {
		r.NanoCPUs = milli * 1_000_000
	}
	if milli := c.Reservations.MilliCPU; milli > 0 {
		const minShares, maxShares = 2, 262144 // of the kernel's cpu controller
		r.CPUShares = min(max(milli*1024/1000, minShares), maxShares)
	}
	if c.PidsLimit > 0 {
		r.PidsLimit = &c.PidsLimit
	}
	for _, u := range c.Spec.Ulimits {
		r.Ulimits = append(r.Ulimits, &container.Ulimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
	for _, d := range c.Spec.Devices {
		target, permissions := d.Target, d.Permissions
		if target == "" {
			target = d.Source
		}
		if permissions == "" {
			permissions = "rwm"
		}
		r.Devices = append(r.Devices, container.DeviceMapping{
			PathOnHost: d.Source, PathInContainer: target, CgroupPermissions: permissions,
		})
	}
	r.Devices = append(r.Devices, deviceFiles(c.Devices)...)
	r.DeviceRequests = deviceRequests(c.Devices)
	return r
}

// deviceFiles are the files of the devices that placement gave.
func deviceFiles(devices []runtime.Device) []container.DeviceMapping {
	var out []container.DeviceMapping
	for _, d := range devices {
		for _, path := range d.Paths {
			m := container.DeviceMapping{PathOnHost: path, PathInContainer: path, CgroupPermissions: "rwm"}
			if !slices.Contains(out, m) { // several may share one file
				out = append(out, m)
			}
		}
	}
	return out
}

// deviceRequests are the devices that drivers of the engine hand out, one request
// a driver.
func deviceRequests(devices []runtime.Device) []container.DeviceRequest {
	var out []container.DeviceRequest
	for _, d := range devices {
		if d.Driver == "" {
			continue
		}
		i := slices.IndexFunc(out, func(r container.DeviceRequest) bool { return r.Driver == d.Driver })
		if i < 0 {
			i = len(out)
			out = append(out, container.DeviceRequest{Driver: d.Driver, Capabilities: [][]string{{d.Kind}}})
		}
		out[i].DeviceIDs = append(out[i].DeviceIDs, d.ID)
	}
	return out
}

// labels merges the user's labels over Muster's, so that a user's label that
// means to pass for Muster's is still there for the policy to refuse.
func labels(own, user map[string]string) map[string]string {
	out := make(map[string]string, len(setLabels)+len(user))
	for _, k := range setLabels {
		out[k] = ""
	}
	maps.Copy(out, own)
	maps.Copy(out, user)
	return out
}

// env merges the user's variables over Muster's, in key order.
func env(own, user map[string]string) []string {
	all := make(map[string]string, len(own)+len(user))
	maps.Copy(all, own)
	maps.Copy(all, user)
	out := make([]string, 0, len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, k+"="+all[k])
	}
	return out
}

// healthcheck leaves out the start interval where the engine does not know it
// (before API 1.44).
func healthcheck(h *cluster.Healthcheck, api string) *container.HealthConfig {
	if h == nil {
		return nil
	}
	out := &container.HealthConfig{
		Test: h.Test, Interval: h.Interval, Timeout: h.Timeout,
		StartPeriod: h.StartPeriod, Retries: h.Retries,
	}
	if versions.GreaterThanOrEqualTo(api, "1.44") {
		out.StartInterval = h.StartInterval
	}
	return out
}

// logging caps the logs unless the spec chose a driver or options itself.
func logging(l *cluster.Logging) container.LogConfig {
	capped := map[string]string{"max-size": "10m", "max-file": "3"}
	switch {
	case l == nil:
		return container.LogConfig{Type: "json-file", Config: capped}
	case l.Driver == "", l.Driver == "json-file":
		maps.Copy(capped, l.Options)
		return container.LogConfig{Type: "json-file", Config: capped}
	}
	return container.LogConfig{Type: l.Driver, Config: l.Options}
}

// ports exposes and binds what is to be published. An empty host address is
// IPv4's: with none at all the engine binds both families, on two ports.
func ports(publish []runtime.Publish) (nat.PortSet, nat.PortMap) {
	if len(publish) == 0 {
		return nil, nil
	}
	exposed, bindings := nat.PortSet{}, nat.PortMap{}
	for _, p := range publish {
		protocol := p.Protocol
		if protocol == "" {
			protocol = "tcp"
		}
		port := nat.Port(strconv.Itoa(int(p.Target)) + "/" + protocol)
		binding := nat.PortBinding{HostIP: p.HostIP}
		if binding.HostIP == "" {
			binding.HostIP = "0.0.0.0"
		}
		if p.Host != 0 {
			binding.HostPort = strconv.Itoa(int(p.Host))
		}
		exposed[port] = struct{}{}
		bindings[port] = append(bindings[port], binding)
	}
	return exposed, bindings
}

// imageOf is what the engine is asked to run.
func imageOf(i cluster.Image) string {
	if i.Digest != "" {
		return i.Digest
	}
	return i.Ref
}
