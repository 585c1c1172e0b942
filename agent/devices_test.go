package agent

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/hoststats"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/configs"
	"github.com/musterhq/muster/runtime"
)

func TestFindDevices(t *testing.T) {
	var cfg configs.Config
	cfg.Resources.Devices = []configs.Device{{Kind: "fuse", Path: "/dev/fuse", Count: 2}, {Kind: "serial", ID: "front", Model: "FT232R", Path: "/dev/ttyUSB0"}}
	got, files := findDevices(cfg, hoststats.Hardware{Root: t.TempDir()})
	want := []runtime.Device{
		{HostDevice: cluster.HostDevice{Kind: "fuse", ID: "fuse-1"}, Paths: []string{"/dev/fuse"}},
		{HostDevice: cluster.HostDevice{Kind: "fuse", ID: "fuse-2"}, Paths: []string{"/dev/fuse"}},
		{HostDevice: cluster.HostDevice{Kind: "serial", ID: "front", Model: "FT232R"}, Paths: []string{"/dev/ttyUSB0"}},
	}
	if d := cmp.Diff(want, got) + cmp.Diff([]string{"/dev/fuse", "/dev/ttyUSB0"}, files); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestOnlyDevicesThatAreThere(t *testing.T) {
	one := func(kind, path string) runtime.Device {
		return runtime.Device{HostDevice: cluster.HostDevice{Kind: kind, ID: "1"}, Paths: []string{path}}
	}
	h := Host{Devices: []runtime.Device{one("null", "/dev/null"), one("gone", "/dev/none"), one("file", "/dev/../etc/passwd")}}
	if d := cmp.Diff([]cluster.HostDevice{{Kind: "null", ID: "1"}}, h.devicesHere()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestCapacity(t *testing.T) {
	measured := cluster.Resources{MilliCPU: 4000, Memory: 8 << 30, Disk: 100 << 30, MilliGPU: 1000}
	for name, tc := range map[string]struct {
		edit func(*configs.Config)
		want cluster.Resources
	}{
		"measured": {func(*configs.Config) {}, measured},
		"declared": {func(c *configs.Config) {
			c.Resources.CPU, c.Resources.Memory, c.Resources.Disk, c.Resources.Bandwidth = 2, 1<<30, 10<<30, 1e9
		}, cluster.Resources{MilliCPU: 2000, Memory: 1 << 30, Disk: 10 << 30, Bandwidth: 1e9, MilliGPU: 1000}},
		"the command line's": {func(c *configs.Config) { c.Resources.CPU, c.CPUs, c.Resources.Memory, c.Memory = 2, 3, 1<<30, 2<<30 }, cluster.Resources{MilliCPU: 3000, Memory: 2 << 30, Disk: 100 << 30, MilliGPU: 1000}},
		"less what is kept": {func(c *configs.Config) {
			c.Reserved = configs.Amounts{CPU: 0.5, Memory: 1 << 30, Disk: 200 << 30, Bandwidth: 1e9}
		}, cluster.Resources{MilliCPU: 3500, Memory: 7 << 30, MilliGPU: 1000}},
	} {
		t.Run(name, func(t *testing.T) {
			a := &Agent{}
			tc.edit(&a.cfg)
			if d := cmp.Diff(tc.want, a.capacity(measured)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestAllIsKeptForTheSystem(t *testing.T) {
	for field, kept := range map[string]configs.Amounts{"": {CPU: 0.5}, "reserved.cpu": {CPU: 64}, "reserved.memory": {Memory: 1 << 50}} {
		a := &Agent{cfg: configs.Config{Reserved: kept}, host: Host{Stats: oneCore{}}}
		var fe *cluster.FieldError
		if err := a.checkReserved(t.Context()); errors.As(err, &fe) != (field != "") || fe != nil && fe.Field != field {
			t.Errorf("%v, want a fault of %q", err, field)
		}
	}
}
