package docker

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

func TestResources(t *testing.T) {
	c := request()
	c.Limits = cluster.Resources{MilliCPU: 1500, Memory: 256 << 20}
	c.Reservations = cluster.Resources{MilliCPU: 500, Memory: 128 << 20}
	c.PidsLimit = 100
	got := resources(&c, 2)
	if got.NanoCPUs != 1_500_000_000 || got.Memory != 256<<20 || got.MemoryReservation != 128<<20 ||
		got.CPUShares != 512 || *got.PidsLimit != 100 {
		t.Errorf("resources = %+v", got)
	}
	if got := resources(&c, 1); got.NanoCPUs != 0 {
		t.Errorf("a limit above the host's cores: NanoCPUs = %d, want none", got.NanoCPUs)
	}
	c.Limits, c.Reservations, c.PidsLimit = cluster.Resources{}, cluster.Resources{}, 0
	if got := resources(&c, 0); got.NanoCPUs != 0 || got.CPUShares != 0 || got.PidsLimit != nil {
		t.Errorf("without limits: %+v", got)
	}
}

func TestLogging(t *testing.T) {
	capped := map[string]string{"max-size": "10m", "max-file": "3"}
	for name, tc := range map[string]struct {
		spec *cluster.Logging
		want container.LogConfig
	}{
		"none":       {nil, container.LogConfig{Type: "json-file", Config: capped}},
		"driver":     {&cluster.Logging{Driver: "syslog"}, container.LogConfig{Type: "syslog"}},
		"cap raised": {&cluster.Logging{Options: map[string]string{"max-size": "1g"}}, container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "1g", "max-file": "3"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, logging(tc.spec)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPorts(t *testing.T) {
	_, got := ports([]runtime.Publish{
		{Target: 80, Protocol: "tcp"},
		{Target: 80, Host: 8080, HostIP: "127.0.0.1", Protocol: "tcp"},
		{Target: 53, Host: 53, Protocol: "udp"},
	})
	want := nat.PortMap{
		"80/tcp": {{HostIP: "0.0.0.0"}, {HostIP: "127.0.0.1", HostPort: "8080"}},
		"53/udp": {{HostIP: "0.0.0.0", HostPort: "53"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStartIntervalNeedsItsVersion(t *testing.T) {
	h := &cluster.Healthcheck{Test: []string{"CMD", "ok"}, StartInterval: time.Second}
	if got := healthcheck(h, "1.41").StartInterval; got != 0 {
		t.Errorf("API 1.41: start interval %v, want none", got)
	}
	if got := healthcheck(h, "1.44").StartInterval; got != time.Second {
		t.Errorf("API 1.44: start interval %v, want 1s", got)
	}
}

func TestEnvOfTheUserWins(t *testing.T) {
	got := env(map[string]string{"MUSTER_SLOT": "1", "B": "ours"}, map[string]string{"B": "theirs", "A": "x"})
	if diff := cmp.Diff([]string{"A=x", "B=theirs", "MUSTER_SLOT=1"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestVolumeNames(t *testing.T) {
	c := request()
	c.Spec.Mounts[2].Labels = map[string]string{"keep": "yes"}
	c.VolumeLabels = map[string]string{runtime.LabelCluster: "c1"}
	binds, got := mounts(&c)
	if diff := cmp.Diff([]string{"/srv/new:/new:ro"}, binds); diff != "" {
		t.Error(diff)
	}
	if got[1].Source != "shop_data" || got[2].Source != "" {
		t.Errorf("volume sources = %q, %q, want shop_data and none", got[1].Source, got[2].Source)
	}
	want := map[string]string{"keep": "yes", runtime.LabelCluster: "c1"}
	if diff := cmp.Diff(want, got[1].VolumeOptions.Labels); diff != "" {
		t.Error(diff)
	}
	c.Spec.Mounts[2].External = true
	if _, got := mounts(&c); got[1].Source != "data" || got[1].VolumeOptions.Labels != nil {
		t.Errorf("external volume = %+v, want its own name and no labels", got[1])
	}
}
