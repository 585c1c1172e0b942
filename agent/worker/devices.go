package worker

import (
	"slices"
	"strings"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// given are this host's devices that the task has. One that the host has no more
// comes without a way to hand it out, and the engine's driver refuses it.
func (h Host) given(shares []cluster.DeviceShare) []runtime.Device {
	var out []runtime.Device
	for _, s := range shares {
		at := slices.IndexFunc(h.Devices, func(d runtime.Device) bool { return d.Kind == s.Kind && d.ID == s.ID })
		if at < 0 {
			out = append(out, runtime.Device{HostDevice: cluster.HostDevice{Kind: s.Kind, ID: s.ID}})
			continue
		}
		out = append(out, h.Devices[at])
	}
	return out
}

// tellDevices adds the variables that say which devices the container has, and
// which share of one: MUSTER_DEVICES_GPU=GPU-1,GPU-2 or MUSTER_SHARE_GPU=0.5.
// Nothing but the program itself keeps to a share.
func tellDevices(env map[string]string, shares []cluster.DeviceShare) {
	for _, s := range shares {
		kind := strings.ToUpper(strings.ReplaceAll(s.Kind, "-", "_"))
		if ids := env["MUSTER_DEVICES_"+kind]; ids != "" {
			s.ID = ids + "," + s.ID
		}
		env["MUSTER_DEVICES_"+kind] = s.ID
		if s.Milli < cluster.WholeDevice {
			env["MUSTER_SHARE_"+kind] = cluster.FormatCPU(s.Milli)
		}
	}
}
