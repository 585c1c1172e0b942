package worker

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

func TestRequestHandsOverDevices(t *testing.T) {
	tty := runtime.Device{HostDevice: cluster.HostDevice{Kind: "tty-usb", ID: "a"}, Paths: []string{"/dev/ttyUSB0"}}
	gpu := runtime.Device{HostDevice: cluster.HostDevice{Kind: "gpu", ID: "GPU-1", Driver: "nvidia"}}
	a := assign("01ARZ3NDEKTSV4RRFFQ69G5FAV", func(a *Assignment) {
		a.Task.Devices = []cluster.DeviceShare{{Kind: "tty-usb", ID: "a", Milli: 1000}, {Kind: "tty-usb", ID: "b", Milli: 1000}, {Kind: "gpu", ID: "GPU-1", Milli: 500}}
	})
	got := Request(Host{Devices: []runtime.Device{gpu, tty}}, &a, nil)
	want := []runtime.Device{tty, {HostDevice: cluster.HostDevice{Kind: "tty-usb", ID: "b"}}, gpu} // b was unplugged
	if d := cmp.Diff(want, got.Devices); d != "" {
		t.Errorf("devices (-want +got):\n%s", d)
	}
	for name, value := range map[string]string{
		"MUSTER_DEVICES_TTY_USB": "a,b", "MUSTER_SHARE_TTY_USB": "", "MUSTER_DEVICES_GPU": "GPU-1", "MUSTER_SHARE_GPU": "0.5",
	} {
		if got.Env[name] != value {
			t.Errorf("%s=%q, want %q", name, got.Env[name], value)
		}
	}
}
