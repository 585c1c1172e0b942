package docker

import (
	"reflect"
	"slices"

	"github.com/docker/docker/api/types/container"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// checkDevices lets through what placement gave and the spec's own devices, of
// which none may be one that placement gives away. A privileged container sees all
// devices whatever is said here.
func (p policy) checkDevices(c *runtime.Create, h *container.HostConfig) error {
	for _, d := range c.Devices {
		if d.Driver == "" && len(d.Paths) == 0 {
			return refuse("device %s of kind %s is not on this host any more; `muster node inspect` shows those that are", d.ID, d.Kind)
		}
	}
	given := deviceFiles(c.Devices)
	for _, m := range h.Devices {
		if slices.Contains(given, m) {
			continue
		}
		own := slices.ContainsFunc(c.Spec.Devices, func(d cluster.Device) bool { return d.Source == m.PathOnHost })
		if !own {
			return refuse("device %q was neither asked for nor given by placement", m.PathOnHost)
		}
		if err := p.checkCounted(m.PathOnHost); err != nil {
			return err
		}
	}
	if want := deviceRequests(c.Devices); len(h.DeviceRequests)+len(want) > 0 && !reflect.DeepEqual(h.DeviceRequests, want) {
		return refuse("the engine's drivers are asked for other devices than placement gave")
	}
	if len(h.DeviceCgroupRules) > 0 {
		return refuse("rules for devices (%q): they would open devices that others have", h.DeviceCgroupRules)
	}
	return nil
}

// checkCounted refuses a device file, or a directory of them, that placement gives
// away.
func (p policy) checkCounted(path string) error {
	resolved, err := p.resolve(path)
	if err != nil {
		return refuse("device %q: cannot be followed: %v", path, err)
	}
	for _, counted := range p.counted {
		target, err := p.resolve(counted)
		if err != nil {
			return refuse("device %q: counted device %q cannot be followed: %v", path, counted, err)
		}
		if overlap(resolved, target) {
			return refuse("device %q is one that placement gives away; ask for it under x-muster.resources.devices instead of devices", path)
		}
	}
	return nil
}
