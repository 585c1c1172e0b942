package configs

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/musterhq/muster/cluster"
)

func TestDefaultIsValid(t *testing.T) {
	c := Default()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
}

// TestExample holds the example file to the settings: it loads, is valid, names
// and explains every key, and shows the default where there is one.
func TestExample(t *testing.T) {
	got, err := Load("agent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Validate(); err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Advertise, want.Name, want.CPUs, want.Memory = "10.0.0.1", "host-1", 4, 8<<30
	want.Labels = map[string]string{"zone": "a", "disk": "ssd"}
	want.Resources = Resources{
		Amounts: Amounts{Disk: 100 << 30, Bandwidth: 1_000_000_000},
		Devices: []Device{{Kind: "serial", Path: "/dev/ttyUSB0", ID: "front", Model: "FT232R"}, {Kind: "fuse", Path: "/dev/fuse", Count: 2}},
	}
	want.Reserved = Amounts{CPU: 0.25, Memory: 256 << 20}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("agent.yaml (-want +got):\n%s", d)
	}

	content, err := os.ReadFile("agent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Load(content, &doc); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for i := 0; i < len(doc.Content[0].Content); i += 2 {
		key := doc.Content[0].Content[i]
		keys = append(keys, key.Value)
		lines := strings.Split(string(content), "\n")
		if before := lines[key.Line-2]; !strings.HasPrefix(before, "# ") {
			t.Errorf("%s is not explained by a comment above it", key.Value)
		}
	}
	if d := cmp.Diff(Keys(), keys); d != "" {
		t.Errorf("keys of agent.yaml (-want +got):\n%s", d)
	}
}

func TestLoad(t *testing.T) {
	for _, tc := range []struct {
		name, content string
		want          func(*Config)
		err           string
	}{
		{name: "empty", content: "", want: func(*Config) {}},
		{name: "only comments", content: "# nothing\n", want: func(*Config) {}},
		{name: "some", content: "port: 8080\nmemory: 512M\n", want: func(c *Config) { c.Port, c.Memory = 8080, 512<<20 }},
		{name: "memory in bytes", content: "memory: 1048576\n", want: func(c *Config) { c.Memory = 1 << 20 }},
		{name: "unknown key", content: "port: 1\nprot: 8080\n", err: "prot: is not a setting (line 2)"},
		{name: "flag's spelling", content: "data-dir: /x\n", err: `did you mean "data_dir"?`},
		{name: "singular", content: "label: {a: b}\n", err: `did you mean "labels"?`},
		{name: "wrong type", content: "port: many\n", err: "line 1"},
		{name: "wrong size", content: "memory: lots\n", err: `"lots" is not a size`},
		{name: "size as list", content: "memory: [1]\n", err: "a size is text"},
		{name: "resources", content: "resources: {disk: 10G, bandwidth: 100Mbit}\n", want: func(c *Config) {
			c.Resources.Disk, c.Resources.Bandwidth = 10<<30, 100_000_000
		}},
		{name: "unknown resource", content: "resources: {gpus: 1}\n", err: "gpus: is not a setting (line 1)"},
		{name: "bandwidth in words", content: "resources: {bandwidth: fast}\n", err: `"fast" is not an amount`},
		{name: "bandwidth below 0", content: "resources: {bandwidth: -1Mbit}\n", err: "negative"},
		{name: "key twice", content: "port: 1\nport: 2\n", err: "port"},
		{name: "not YAML", content: "port: [\n", err: "read the agent's configuration"},
		{name: "a list", content: "- port\n", err: "line 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "agent.yaml")
			if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := Load(path)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("got error %v, want one with %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := Default()
			tc.want(&want)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestLoadNoFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want one that is os.ErrNotExist", err)
	}
}

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		field string
		edit  func(*Config)
	}{
		{"data_dir", func(c *Config) { c.DataDir = "" }},
		{"data_dir", func(c *Config) { c.DataDir = "muster" }},
		{"socket", func(c *Config) { c.Socket = "muster.sock" }},
		{"socket", func(c *Config) { c.Socket = "/" + strings.Repeat("a", 200) }},
		{"docker_host", func(c *Config) { c.DockerHost = "tcp://10.0.0.1:2375" }},
		{"docker_host", func(c *Config) { c.DockerHost = "unix://docker.sock" }},
		{"port", func(c *Config) { c.Port = 0 }},
		{"gossip_port", func(c *Config) { c.GossipPort = 65536 }},
		{"gossip_port", func(c *Config) { c.GossipPort = c.Port }},
		{"network_port", func(c *Config) { c.NetworkPort = 0 }},
		{"network_port", func(c *Config) { c.NetworkPort = c.GossipPort }},
		{"network_port", func(c *Config) { c.NetworkPort = 7073 }},
		{"advertise", func(c *Config) { c.Advertise = "host-1" }},
		{"advertise", func(c *Config) { c.Advertise = "0.0.0.0" }},
		{"name", func(c *Config) { c.Name = "a b" }},
		{"name", func(c *Config) { c.Name = strings.Repeat("a", 64) }},
		{"labels.a b", func(c *Config) { c.Labels = map[string]string{"a b": "c"} }},
		{"cpus", func(c *Config) { c.CPUs = -1 }},
		{"memory", func(c *Config) { c.Memory = -1 }},
		{"resources.cpu", func(c *Config) { c.Resources.CPU = math.NaN() }},
		{"resources.cpu", func(c *Config) { c.Resources.CPU = math.Inf(1) }},
		{"resources.cpu", func(c *Config) { c.Resources.CPU = 0.0001 }},
		{"reserved.cpu", func(c *Config) { c.Reserved.CPU = -1 }},
		{"reserved.memory", func(c *Config) { c.Reserved.Memory = -1 }},
		{"resources.disk", func(c *Config) { c.Resources.Disk = Size(cluster.MaxDisk) + 1 }},
		{"resources.bandwidth", func(c *Config) { c.Resources.Bandwidth = -1 }},
		{"resources.devices[0].kind", func(c *Config) { c.Resources.Devices = []Device{{Path: "/dev/null"}} }},
		{"resources.devices[0].path", func(c *Config) { c.Resources.Devices = []Device{{Kind: "tty"}} }},
		{"resources.devices[0].path", func(c *Config) { c.Resources.Devices = []Device{{Kind: "tty", Path: "null"}} }},
		{"resources.devices[0].path", func(c *Config) { c.Resources.Devices = []Device{{Kind: "tty", Path: "/etc/shadow"}} }},
		{"resources.devices[0].path", func(c *Config) { c.Resources.Devices = []Device{{Kind: "tty", Path: "/dev/../etc/shadow"}} }},
		{"resources.devices[0].count", func(c *Config) { c.Resources.Devices = []Device{{Kind: "tty", Path: "/dev/null", Count: -1}} }},
		{"resources.devices[0].count", func(c *Config) {
			c.Resources.Devices = []Device{{Kind: "tty", Path: "/dev/null", Count: 1 << 30}}
		}},
		{"resources.devices[1].id", func(c *Config) {
			c.Resources.Devices = []Device{{Kind: "tty", Path: "/dev/null"}, {Kind: "tty", Path: "/dev/null"}}
		}},
		{"resources.devices[0].model", func(c *Config) {
			c.Resources.Devices = []Device{{Kind: "tty", Path: "/dev/null", Model: "a\nb"}}
		}},
		{"log_format", func(c *Config) { c.LogFormat = "xml" }},
		{"log_level", func(c *Config) { c.LogLevel = "loud" }},
	} {
		t.Run(tc.field, func(t *testing.T) {
			c := Default()
			tc.edit(&c)
			var fe *cluster.FieldError
			if err := c.Validate(); !errors.As(err, &fe) || fe.Field != tc.field || fe.Hint == "" {
				t.Errorf("got %v, want a fault of %s with a hint", err, tc.field)
			}
		})
	}
}

func TestSizeText(t *testing.T) {
	for text, want := range map[string]Size{"512M": 512 << 20, "8GiB": 8 << 30, "0": 0, "1.5g": 3 << 29} {
		var s, again Size
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("Set(%q) = %d, %v; want %d", text, s, err, want)
		}
		if want == 0 {
			continue
		}
		if err := again.Set(s.String()); err != nil || again != want {
			t.Errorf("%q does not read back: %d, %v", s.String(), again, err)
		}
	}
}
