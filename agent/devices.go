package agent

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/musterhq/muster/agent/hoststats"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/configs"
	"github.com/musterhq/muster/runtime"
)

// findDevices are what the configuration lists, and the host's GPUs where it lists
// none; and the files of all, which containers get in no other way.
func findDevices(cfg configs.Config, hardware hoststats.Hardware) (devices []runtime.Device, files []string) {
	listed, paths := cfg.Resources.HostDevices()
	for i, d := range listed {
		devices, files = append(devices, runtime.Device{HostDevice: d, Paths: paths[i : i+1]}), append(files, paths[i])
	}
	if gpus(listed) == 0 {
		for _, g := range hardware.GPUs() {
			devices = append(devices, runtime.Device{
				HostDevice: cluster.HostDevice{Kind: cluster.DeviceGPU, ID: g.ID, Model: g.Model, Driver: g.Driver}, Paths: g.Paths,
			})
			files = append(files, g.File)
		}
	}
	slices.Sort(files)
	return devices, slices.Compact(files)
}

// devicesHere are the host's devices that are there now: one may be unplugged.
func (h Host) devicesHere() []cluster.HostDevice {
	var out []cluster.HostDevice
	for _, d := range h.Devices {
		gone := slices.ContainsFunc(d.Paths, func(path string) bool {
			at, err := os.Stat(path)
			return err != nil || at.Mode()&os.ModeDevice == 0
		})
		if !gone {
			out = append(out, d.HostDevice)
		}
	}
	return out
}

// gpus is how much of GPUs the devices are, in thousandths.
func gpus(devices []cluster.HostDevice) (milli int64) {
	for _, d := range devices {
		if d.Kind == cluster.DeviceGPU {
			milli += cluster.WholeDevice
		}
	}
	return milli
}

// capacity is what the host offers: what is declared, else what was measured, less
// what is kept for the system.
func (a *Agent) capacity(measured cluster.Resources) cluster.Resources {
	out, declared := measured, a.cfg.Resources.Resources()
	if a.cfg.CPUs > 0 {
		declared.MilliCPU = int64(a.cfg.CPUs * 1000)
	}
	if a.cfg.Memory > 0 {
		declared.Memory = int64(a.cfg.Memory)
	}
	for _, part := range []struct {
		of       *int64
		declared int64
	}{
		{&out.MilliCPU, declared.MilliCPU},
		{&out.Memory, declared.Memory},
		{&out.Disk, declared.Disk},
		{&out.Bandwidth, declared.Bandwidth},
	} {
		if part.declared > 0 {
			*part.of = part.declared
		}
	}
	out = out.Sub(a.cfg.Reserved.Resources())
	out.MilliCPU, out.Memory = max(out.MilliCPU, 0), max(out.Memory, 0)
	out.Disk, out.Bandwidth = max(out.Disk, 0), max(out.Bandwidth, 0)
	return out
}

// checkReserved refuses to keep all of the host for the system.
func (a *Agent) checkReserved(ctx context.Context) error {
	kept := a.cfg.Reserved.Resources()
	if kept == (cluster.Resources{}) {
		return nil
	}
	milli, mem, err := a.host.Stats.Capacity(ctx)
	if err != nil {
		return fmt.Errorf("measure this host: %w", err)
	}
	switch offered := a.capacity(cluster.Resources{MilliCPU: milli, Memory: mem}); {
	case kept.MilliCPU > 0 && offered.MilliCPU == 0:
		return cluster.Invalid("reserved.cpu", fmt.Sprintf("%s of the host's cores are kept for the system, and none are left", cluster.FormatCPU(kept.MilliCPU)), "keep less")
	case kept.Memory > 0 && offered.Memory == 0:
		return cluster.Invalid("reserved.memory", fmt.Sprintf("%s of the host's memory are kept for the system, and none is left", cluster.FormatBytes(kept.Memory)), "keep less")
	}
	return nil
}
