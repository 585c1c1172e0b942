package docker

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

func nvidia(id string) runtime.Device {
	return runtime.Device{HostDevice: cluster.HostDevice{Kind: "gpu", ID: id, Driver: "nvidia"}}
}

func file(id string, paths ...string) runtime.Device {
	return runtime.Device{HostDevice: cluster.HostDevice{Kind: "tty", ID: id}, Paths: paths}
}

func TestDevicesOfThePayload(t *testing.T) {
	c := request()
	c.Spec.Devices = []cluster.Device{{Source: "/dev/rtc"}}
	c.Devices = []runtime.Device{nvidia("GPU-1"), file("a", "/dev/fuse", "/dev/kfd"), nvidia("GPU-2"), file("b", "/dev/fuse")}
	p := newPayload(&c, surroundings{networks: []string{"muster-shop"}})
	wantFiles := []container.DeviceMapping{
		{PathOnHost: "/dev/rtc", PathInContainer: "/dev/rtc", CgroupPermissions: "rwm"},
		{PathOnHost: "/dev/fuse", PathInContainer: "/dev/fuse", CgroupPermissions: "rwm"},
		{PathOnHost: "/dev/kfd", PathInContainer: "/dev/kfd", CgroupPermissions: "rwm"},
	}
	wantRequests := []container.DeviceRequest{{Driver: "nvidia", DeviceIDs: []string{"GPU-1", "GPU-2"}, Capabilities: [][]string{{"gpu"}}}}
	if d := cmp.Diff(wantFiles, p.host.Devices) + cmp.Diff(wantRequests, p.host.DeviceRequests); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestDiskLimit(t *testing.T) {
	c := request()
	c.Limits.Disk = 10 << 30
	if got := newPayload(&c, surroundings{quota: true}).host.StorageOpt["size"]; got != "10737418240" {
		t.Errorf("size %q", got)
	}
	if got := newPayload(&c, surroundings{}).host.StorageOpt; got != nil {
		t.Errorf("without quotas the engine is asked for %v", got)
	}
}

func TestDevicePolicy(t *testing.T) {
	for name, tc := range map[string]struct {
		change, alter func(*runtime.Create, *payload)
		allowed       bool
	}{
		"what placement gave": {change: func(c *runtime.Create, _ *payload) {
			c.Devices = []runtime.Device{nvidia("GPU-1"), file("a", "/dev/counted")}
		}, allowed: true},
		"the spec's own": {change: func(c *runtime.Create, _ *payload) {
			c.Spec.Devices = []cluster.Device{{Source: "/dev/rtc", Target: "/dev/clock"}}
		}, allowed: true},
		"a counted one": {change: func(c *runtime.Create, _ *payload) {
			c.Spec.Devices = []cluster.Device{{Source: "/dev/counted"}}
		}},
		"a counted one by a link": {change: func(c *runtime.Create, _ *payload) {
			c.Spec.Devices = []cluster.Device{{Source: "/dev/link"}}
		}},
		"a directory with one": {change: func(c *runtime.Create, _ *payload) {
			c.Spec.Devices = []cluster.Device{{Source: "/dev"}}
		}},
		"one that is gone": {change: func(c *runtime.Create, _ *payload) { c.Devices = []runtime.Device{file("a")} }},
		"another file": {alter: func(_ *runtime.Create, p *payload) {
			p.host.Devices = append(p.host.Devices, container.DeviceMapping{PathOnHost: "/dev/sda"})
		}},
		"another GPU": {
			change: func(c *runtime.Create, _ *payload) { c.Devices = []runtime.Device{nvidia("GPU-1")} },
			alter: func(_ *runtime.Create, p *payload) {
				p.host.DeviceRequests[0].DeviceIDs = append(p.host.DeviceRequests[0].DeviceIDs, "GPU-2")
			},
		},
		"all GPUs": {alter: func(_ *runtime.Create, p *payload) {
			p.host.DeviceRequests = []container.DeviceRequest{{Driver: "nvidia", Count: -1}}
		}},
		"rules": {alter: func(_ *runtime.Create, p *payload) { p.host.DeviceCgroupRules = []string{"c 195:* rwm"} }},
	} {
		t.Run(name, func(t *testing.T) {
			p := policy{counted: []string{"/dev/counted"}, resolve: func(path string) (string, error) {
				if path == "/dev/link" {
					path = "/dev/counted"
				}
				return path, nil
			}}
			c := request()
			if tc.change != nil {
				tc.change(&c, nil)
			}
			pl := newPayload(&c, surroundings{networks: refs(&c)})
			if tc.alter != nil {
				tc.alter(&c, &pl)
			}
			if err := p.check(&c, pl); (err == nil) != tc.allowed {
				t.Errorf("%v, allowed: %v", err, tc.allowed)
			}
		})
	}
}

func TestProjectQuota(t *testing.T) {
	const mounts = "/dev/sda1 / ext4 rw,relatime 0 0\n/dev/sdb1 /var/lib/docker xfs rw,noatime,prjquota 0 0\n/dev/sdc1 /srv xfs rw 0 0\nbad\n"
	for path, want := range map[string]bool{"/var/lib/docker": true, "/var/lib/docker/x": true, "/var/lib": false, "/srv/docker": false} {
		if got := projectQuota(mounts, path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	if quotaOf("btrfs", nil, "/") || quotaOf("overlay2", [][2]string{{"Backing Filesystem", "extfs"}}, "/") {
		t.Error("only overlay2 on XFS can")
	}
}
