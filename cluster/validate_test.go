package cluster

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// valid is a spec with a bit of everything; tests break one thing each.
func valid() ServiceSpec {
	return ServiceSpec{
		Mode:     Replicated,
		Replicas: 3,
		Template: Template{
			Container: ContainerSpec{
				Image:       Image{Ref: "nginx:1.27", Digest: "nginx@sha256:" + strings.Repeat("a", 64)},
				Command:     []string{"serve"},
				Env:         map[string]string{"A": "b"},
				Labels:      map[string]string{"com.example": "x"},
				Healthcheck: &Healthcheck{Test: []string{"CMD", "/check"}, Interval: time.Second, Retries: 3},
				Mounts: []Mount{
					{Type: MountBind, Source: "/srv", Target: "/srv", Propagation: "rslave"},
					{Type: MountVolume, Source: "db_data", Target: "/data", Labels: map[string]string{"x": "y"}},
					{Type: MountVolume, Target: "/anonymous"},
					{Type: MountTmpfs, Target: "/tmp", TmpfsSize: 1 << 20, TmpfsMode: 0o1777},
				},
				WorkingDir: "/srv", CapAdd: []string{"NET_ADMIN"}, CapDrop: []string{"ALL"},
				Ulimits:    []Ulimit{{Name: "nofile", Soft: 10, Hard: 20}, {Name: "core", Soft: -1, Hard: -1}},
				ExtraHosts: []string{"db:10.0.0.1", "six:::1", "gate:host-gateway"},
				Devices:    []Device{{Source: "/dev/fuse", Target: "/dev/fuse", Permissions: "rwm"}},
				Logging:    &Logging{Driver: "json-file", Options: map[string]string{"max-size": "1m"}},
				StopSignal: "SIGTERM", StopGrace: time.Minute, Hostname: "web-1.example",
				ShmSize: 64 << 20, Sysctls: map[string]string{"net.core.somaxconn": "1"},
			},
			Reservations: Resources{MilliCPU: 100, Memory: 64 << 20},
			Limits:       Resources{MilliCPU: 1000, Memory: 128 << 20},
			PidsLimit:    100,
			Restart:      RestartPolicy{Condition: RestartOnFailure, Delay: time.Second, MaxAttempts: 3, Window: time.Minute},
			Constraints:  []string{"node.labels.zone==a"},
			MaxPerNode:   2,
			Ports: []Port{
				{Target: 80, Published: 8080, Protocol: "tcp", Mode: Ingress},
				{Target: 53, Published: 53, Protocol: "udp", Mode: HostPort, HostIP: "127.0.0.1"},
				{Target: 53, Published: 53, Protocol: "udp", Mode: HostPort, HostIP: "127.0.0.2"},
				{Target: 90, Protocol: "tcp", Mode: HostPort},
			},
		},
		Update:      Update{Parallelism: 2, Delay: time.Second, Order: StartFirst},
		Preferences: []string{"node.labels.zone"},
	}
}

// checkField fails unless err is a *FieldError of the field, or nil for "".
func checkField(t *testing.T, err error, field string) {
	t.Helper()
	var fe *FieldError
	switch {
	case err == nil && field == "":
	case err == nil:
		t.Errorf("accepted, want an error of %s", field)
	case !errors.As(err, &fe):
		t.Errorf("%v (%T) is no field error", err, err)
	case fe.Field != field:
		t.Errorf("%v names %q, want %q", err, fe.Field, field)
	case fe.Reason == "":
		t.Errorf("%v gives no reason", err)
	}
}

func TestValidSpec(t *testing.T) {
	spec := valid()
	checkField(t, spec.Validate("services.web"), "")
	global := valid()
	global.Mode, global.Replicas = Global, 0
	checkField(t, global.Validate("services.web"), "")
	none := valid()
	none.Replicas = 0
	checkField(t, none.Validate(""), "")
}

func TestInvalidSpec(t *testing.T) {
	for name, tc := range map[string]struct {
		field string
		spoil func(*ServiceSpec)
	}{
		"no mode":           {"deploy.mode", func(s *ServiceSpec) { s.Mode = "" }},
		"unknown mode":      {"deploy.mode", func(s *ServiceSpec) { s.Mode = "job" }},
		"negative replicas": {"deploy.replicas", func(s *ServiceSpec) { s.Replicas = -1 }},
		"many replicas":     {"deploy.replicas", func(s *ServiceSpec) { s.Replicas = MaxReplicas + 1 }},
		"global replicas":   {"deploy.replicas", func(s *ServiceSpec) { s.Mode = Global }},

		"parallelism":           {"deploy.update_config.parallelism", func(s *ServiceSpec) { s.Update.Parallelism = -1 }},
		"delay":                 {"deploy.update_config.delay", func(s *ServiceSpec) { s.Update.Delay = -1 }},
		"order":                 {"deploy.update_config.order", func(s *ServiceSpec) { s.Update.Order = "both" }},
		"condition":             {"deploy.restart_policy.condition", func(s *ServiceSpec) { s.Template.Restart.Condition = "no" }},
		"attempts":              {"deploy.restart_policy.max_attempts", func(s *ServiceSpec) { s.Template.Restart.MaxAttempts = -1 }},
		"window":                {"deploy.restart_policy.window", func(s *ServiceSpec) { s.Template.Restart.Window = MaxDuration + 1 }},
		"preference":            {"deploy.placement.preferences[0].spread", func(s *ServiceSpec) { s.Preferences[0] = "zone" }},
		"policy":                {"x-muster.policy", func(s *ServiceSpec) { s.Placement.Policy = "best" }},
		"rebalance":             {"x-muster.rebalance", func(s *ServiceSpec) { s.Placement.Rebalance = "always" }},
		"no partition":          {"x-muster.partition", func(s *ServiceSpec) { s.Placement.Policy = PolicyFixed }},
		"partition":             {"x-muster.partition", func(s *ServiceSpec) { s.Placement = Placement{Policy: PolicyFixed, Partition: "../x"} }},
		"partition of no fixed": {"x-muster.partition", func(s *ServiceSpec) { s.Placement = Placement{Policy: PolicyHybrid, Partition: "x"} }},
		"text in a partition":   {"x-muster.partition", func(s *ServiceSpec) { s.Placement.Partition = "a\x00" }},
		"constraint":            {"deploy.placement.constraints[0]", func(s *ServiceSpec) { s.Template.Constraints[0] = "zone" }},
		"constraints":           {"deploy.placement.constraints", func(s *ServiceSpec) { s.Template.Constraints = make([]string, MaxConstraints+1) }},
		"per node":              {"deploy.placement.max_replicas_per_node", func(s *ServiceSpec) { s.Template.MaxPerNode = -1 }},

		"reserved cpu":    {"deploy.resources.reservations.cpus", func(s *ServiceSpec) { s.Template.Reservations.MilliCPU = 1001 }},
		"reserved memory": {"deploy.resources.reservations.memory", func(s *ServiceSpec) { s.Template.Reservations.Memory = 129 << 20 }},
		"negative limit":  {"deploy.resources.limits.memory", func(s *ServiceSpec) { s.Template.Limits.Memory = -1 }},
		"small limit": {"deploy.resources.limits.memory", func(s *ServiceSpec) {
			s.Template.Limits.Memory, s.Template.Reservations.Memory = MinMemoryLimit-1, 0
		}},
		"pids": {"deploy.resources.limits.pids", func(s *ServiceSpec) { s.Template.PidsLimit = -1 }},

		"target 0":         {"ports[0].target", func(s *ServiceSpec) { s.Template.Ports[0].Target = 0 }},
		"protocol":         {"ports[0].protocol", func(s *ServiceSpec) { s.Template.Ports[0].Protocol = "sctp" }},
		"ingress address":  {"ports[0].host_ip", func(s *ServiceSpec) { s.Template.Ports[0].HostIP = "127.0.0.1" }},
		"ingress any port": {"ports[0].published", func(s *ServiceSpec) { s.Template.Ports[0].Published = 0 }},
		"port mode":        {"ports[0].mode", func(s *ServiceSpec) { s.Template.Ports[0].Mode = "" }},
		"host address":     {"ports[1].host_ip", func(s *ServiceSpec) { s.Template.Ports[1].HostIP = "localhost" }},
		"same address":     {"ports[2]", func(s *ServiceSpec) { s.Template.Ports[2].HostIP = "127.0.0.1" }},
		"any address":      {"ports[2]", func(s *ServiceSpec) { s.Template.Ports[2].HostIP = "::" }},
		"ports of host":    {"ports", func(s *ServiceSpec) { s.Template.Container.NetworkMode = "host" }},
		"ports of none":    {"ports", func(s *ServiceSpec) { s.Template.Container.NetworkMode = "none" }},

		"too large": {"", func(s *ServiceSpec) {
			s.Template.Container.Env = map[string]string{}
			for i := range 20 {
				s.Template.Container.Env[fmt.Sprint("V", i)] = strings.Repeat("x", 100_000)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := valid()
			tc.spoil(&spec)
			checkField(t, spec.Validate("services.web"), at("services.web", tc.field))
		})
	}
}

func TestInvalidContainer(t *testing.T) {
	for name, tc := range map[string]struct {
		field string
		spoil func(*ContainerSpec)
	}{
		"argument":      {"command[0]", func(c *ContainerSpec) { c.Command[0] = strings.Repeat("x", MaxArgument+1) }},
		"arguments":     {"command", func(c *ContainerSpec) { c.Command = make([]string, MaxItems+1) }},
		"env name":      {"environment.A=B", func(c *ContainerSpec) { c.Env["A=B"] = "" }},
		"empty env":     {"environment", func(c *ContainerSpec) { c.Env[""] = "" }},
		"env value":     {"environment.A", func(c *ContainerSpec) { c.Env["A"] = strings.Repeat("x", MaxArgument) }},
		"NUL":           {"environment.A", func(c *ContainerSpec) { c.Env["A"] = "a\x00b" }},
		"not UTF-8":     {"command[0]", func(c *ContainerSpec) { c.Command[0] = "\xff" }},
		"UTF-8 key":     {"labels", func(c *ContainerSpec) { c.Labels["\xff"] = "x" }},
		"our label":     {"labels.muster.task", func(c *ContainerSpec) { c.Labels["muster.task"] = "x" }},
		"empty label":   {"labels", func(c *ContainerSpec) { c.Labels[""] = "x" }},
		"working dir":   {"working_dir", func(c *ContainerSpec) { c.WorkingDir = "srv" }},
		"hostname":      {"hostname", func(c *ContainerSpec) { c.Hostname = "a b" }},
		"long hostname": {"hostname", func(c *ContainerSpec) { c.Hostname = strings.Repeat("a", 65) }},
		"signal":        {"stop_signal", func(c *ContainerSpec) { c.StopSignal = "SIGNOPE" }},
		"grace":         {"stop_grace_period", func(c *ContainerSpec) { c.StopGrace = -1 }},
		"log driver":    {"logging.driver", func(c *ContainerSpec) { c.Logging.Driver = "" }},
		"network mode":  {"network_mode", func(c *ContainerSpec) { c.NetworkMode = "container:x" }},
		"capability":    {"cap_add[0]", func(c *ContainerSpec) { c.CapAdd[0] = "NET ADMIN" }},
		"ulimit":        {"ulimits.nofile", func(c *ContainerSpec) { c.Ulimits[0].Soft = 30 }},
		"ulimit -1":     {"ulimits.nofile", func(c *ContainerSpec) { c.Ulimits[0].Soft = -1 }},
		"ulimit twice":  {"ulimits.nofile", func(c *ContainerSpec) { c.Ulimits[1].Name = "nofile" }},
		"extra host":    {"extra_hosts[0]", func(c *ContainerSpec) { c.ExtraHosts[0] = "db:nowhere" }},
		"device":        {"devices[0].source", func(c *ContainerSpec) { c.Devices[0].Source = "/dev/../etc" }},
		"permissions":   {"devices[0].permissions", func(c *ContainerSpec) { c.Devices[0].Permissions = "x" }},
		"sysctl":        {"sysctls.x;y", func(c *ContainerSpec) { c.Sysctls["x;y"] = "1" }},
		"shm":           {"shm_size", func(c *ContainerSpec) { c.ShmSize = -1 }},

		"test":       {"healthcheck.test", func(c *ContainerSpec) { c.Healthcheck.Test = []string{"/check"} }},
		"test NONE":  {"healthcheck.test", func(c *ContainerSpec) { c.Healthcheck.Test = []string{"NONE", "x"} }},
		"shell":      {"healthcheck.test", func(c *ContainerSpec) { c.Healthcheck.Test = []string{"CMD-SHELL", "a", "b"} }},
		"retries":    {"healthcheck.retries", func(c *ContainerSpec) { c.Healthcheck.Retries = -1 }},
		"timeout":    {"healthcheck.timeout", func(c *ContainerSpec) { c.Healthcheck.Timeout = -time.Second }},
		"interval":   {"healthcheck.interval", func(c *ContainerSpec) { c.Healthcheck.Interval = time.Microsecond }},
		"startup":    {"healthcheck.start_period", func(c *ContainerSpec) { c.Healthcheck.StartPeriod = math.MaxInt64 }},
		"start beat": {"healthcheck.start_interval", func(c *ContainerSpec) { c.Healthcheck.StartInterval = 1 }},

		"bind relative":   {"volumes[0].source", func(c *ContainerSpec) { c.Mounts[0].Source = "srv" }},
		"bind above":      {"volumes[0].source", func(c *ContainerSpec) { c.Mounts[0].Source = "/srv/../etc" }},
		"bind empty":      {"volumes[0].source", func(c *ContainerSpec) { c.Mounts[0].Source = "" }},
		"target relative": {"volumes[0].target", func(c *ContainerSpec) { c.Mounts[0].Target = "srv" }},
		"target above":    {"volumes[0].target", func(c *ContainerSpec) { c.Mounts[0].Target = "/a/.." }},
		"target root":     {"volumes[0].target", func(c *ContainerSpec) { c.Mounts[0].Target = "/" }},
		"target twice":    {"volumes[1].target", func(c *ContainerSpec) { c.Mounts[1].Target = "/srv" }},
		"propagation":     {"volumes[0].bind.propagation", func(c *ContainerSpec) { c.Mounts[0].Propagation = "x" }},
		"mount type":      {"volumes[1].type", func(c *ContainerSpec) { c.Mounts[1] = Mount{Type: "npipe", Target: "/x"} }},
		"volume path":     {"volumes[1].source", func(c *ContainerSpec) { c.Mounts[1].Source = "../x" }},
		"volume dots":     {"volumes[1].source", func(c *ContainerSpec) { c.Mounts[1].Source = ".." }},
		"volume long":     {"volumes[1].source", func(c *ContainerSpec) { c.Mounts[1].Source = strings.Repeat("a", 64) }},
		"external":        {"volumes[2].source", func(c *ContainerSpec) { c.Mounts[2].External = true }},
		"external bind":   {"volumes[0].type", func(c *ContainerSpec) { c.Mounts[0].External = true }},
		"tmpfs source":    {"volumes[3].source", func(c *ContainerSpec) { c.Mounts[3].Source = "x" }},
		"tmpfs size":      {"volumes[3].tmpfs.size", func(c *ContainerSpec) { c.Mounts[3].TmpfsSize = -1 }},
		"tmpfs mode":      {"volumes[3].tmpfs.mode", func(c *ContainerSpec) { c.Mounts[3].TmpfsMode = 0o10000 }},
		"size of a bind":  {"volumes[0].tmpfs", func(c *ContainerSpec) { c.Mounts[0].TmpfsSize = 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			spec := valid()
			tc.spoil(&spec.Template.Container)
			checkField(t, spec.Validate("services.web"), "services.web."+tc.field)
		})
	}
}

func TestValidateImage(t *testing.T) {
	id := strings.Repeat("0", 64)
	for ref, ok := range map[string]bool{
		"nginx":                                  true,
		"nginx:1.27":                             true,
		"team/app_x/y-z:Tag.1":                   true,
		"registry.example:5000/a/b":              true,
		"localhost/a":                            true,
		"REGISTRY.example/a":                     true,
		"[::1]:5000/a":                           true,
		"nginx:1@sha256:" + id:                   true,
		"":                                       false,
		"UPPER":                                  false,
		"UPPER:":                                 false,
		"a b":                                    false,
		"a:":                                     false,
		"a@sha256:12":                            false,
		"../a":                                   false,
		"/a":                                     false,
		"a/":                                     false,
		"a//b":                                   false,
		"a:b:c":                                  false,
		"https://x/y":                            false,
		"a\n":                                    false,
		"-a":                                     false,
		"a:" + strings.Repeat("t", 129):          false,
		strings.Repeat("a/", 300) + "a":          false,
		"nginx:1@sha256:" + strings.ToUpper("a"): false,
	} {
		if err := (Image{Ref: ref}).Validate("image"); (err == nil) != ok {
			t.Errorf("Image{%.60q}: %v, want ok = %v", ref, err, ok)
		}
	}
	for digest, ok := range map[string]bool{
		"":                   true,
		"sha256:" + id:       true,
		"nginx@sha256:" + id: true,
		"nginx":              false,
		"sha256:" + id[1:]:   false,
		"nginx@md5:" + id:    false,
	} {
		if err := (Image{Ref: "nginx", Digest: digest}).Validate("image"); (err == nil) != ok {
			t.Errorf("digest %q: %v, want ok = %v", digest, err, ok)
		}
	}
}

func TestKnownSignal(t *testing.T) {
	for s, want := range map[string]bool{
		"SIGTERM": true, "TERM": true, "sigusr1": true, "15": true, "64": true, "SIGRTMIN+3": true, "RTMAX-1": true,
		"0": false, "65": false, "-1": false, "+15": false, "SIGNOPE": false, "SIG": false, "RTMIN+": false, "RTMIN+99": false, "SIGSIGTERM": false,
	} {
		if got := knownSignal(s); got != want {
			t.Errorf("knownSignal(%q) = %v", s, got)
		}
	}
}

func TestValidateStack(t *testing.T) {
	port := func(p Port) ServiceSpec {
		spec := valid()
		spec.Template.Ports = []Port{p}
		return spec
	}
	ingress := Port{Target: 80, Published: 80, Protocol: "tcp", Mode: Ingress}
	host := Port{Target: 80, Published: 80, Protocol: "tcp", Mode: HostPort}
	udp := Port{Target: 80, Published: 80, Protocol: "udp", Mode: HostPort}
	many := make(map[string]ServiceSpec)
	for i := range MaxServices + 1 {
		many[fmt.Sprint("s", i)] = port(Port{Target: 80, Protocol: "tcp", Mode: HostPort})
	}
	heavy := make(map[string]ServiceSpec)
	for i := range 6 {
		spec := port(Port{Target: 80, Protocol: "tcp", Mode: HostPort})
		spec.Template.Container.Command = strings.Split(strings.Repeat(strings.Repeat("x", 90_000)+" ", 10), " ")
		heavy[fmt.Sprint("s", i)] = spec
	}
	for name, tc := range map[string]struct {
		stack    string
		services map[string]ServiceSpec
		field    string
	}{
		"one service":         {"shop", map[string]ServiceSpec{"web": valid()}, ""},
		"stack name":          {"Shop", map[string]ServiceSpec{"web": valid()}, "name"},
		"empty":               {"shop", nil, "services"},
		"service name":        {"shop", map[string]ServiceSpec{"../x": valid()}, "services.../x"},
		"bad service":         {"shop", map[string]ServiceSpec{"a": valid(), "b": {}}, "services.b.deploy.mode"},
		"too many":            {"shop", many, "services"},
		"too heavy":           {"shop", heavy, "services"},
		"ingress and ingress": {"shop", map[string]ServiceSpec{"a": port(ingress), "b": port(ingress)}, "services.b.ports[0]"},
		"ingress and host":    {"shop", map[string]ServiceSpec{"a": port(ingress), "b": port(host)}, "services.b.ports[0]"},
		"host and ingress":    {"shop", map[string]ServiceSpec{"a": port(host), "b": port(ingress)}, "services.b.ports[0]"},
		"host and host":       {"shop", map[string]ServiceSpec{"a": port(host), "b": port(host)}, ""},
		"tcp and udp":         {"shop", map[string]ServiceSpec{"a": port(ingress), "b": port(udp)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			checkField(t, ValidateStack(tc.stack, tc.services), tc.field)
		})
	}
}

func TestFieldError(t *testing.T) {
	err := Within("services.web", Invalid("image", "is empty", "name one"))
	if got, want := err.Error(), "services.web.image: is empty; name one"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Invalid("image", "is empty", "").Error(); got != "image: is empty" {
		t.Errorf("%q", got)
	}
	other := errors.New("other")
	if got := Within("x", other); !errors.Is(got, other) {
		t.Error("an error without a field is changed")
	}
}

func TestValidateNodeLabels(t *testing.T) {
	for key, field := range map[string]string{
		"zone": "", PartitionLabel: "", TaintPrefix + "gpu": "",
		TaintPrefix: "labels." + TaintPrefix, "muster.task": "labels.muster.task", "muster.partitions": "labels.muster.partitions",
		"": "labels", "a b": "labels.a b",
	} {
		err := ValidateNodeLabels("labels", map[string]string{key: "x"})
		var at *FieldError
		if field == "" && err != nil || field != "" && (!errors.As(err, &at) || at.Field != field) {
			t.Errorf("%q: %v", key, err)
		}
	}
	if err := ValidateLabels("labels", map[string]string{TaintPrefix + "gpu": "x"}); err == nil {
		t.Error("a container may have a node's label")
	}
}
