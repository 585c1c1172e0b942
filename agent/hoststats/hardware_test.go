package hoststats

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// machine writes files below a root; a value of "->X" is a link to X.
func machine(t *testing.T, files map[string]string) Hardware {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if target, link := cutLink(content); link && err == nil {
			err = os.MkdirAll(filepath.Join(root, target), 0o700)
			if err == nil {
				err = os.Symlink(filepath.Join(root, target), path)
			}
		} else if err == nil {
			err = os.WriteFile(path, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return Hardware{Root: root}
}

func cutLink(content string) (target string, link bool) {
	if len(content) > 2 && content[:2] == "->" {
		return content[2:], true
	}
	return "", false
}

func TestBandwidth(t *testing.T) {
	card := func(files map[string]string, name, state, speed string) {
		files["sys/class/net/"+name+"/device"] = "->sys/devices/" + name
		files["sys/class/net/"+name+"/operstate"] = state + "\n"
		files["sys/class/net/"+name+"/speed"] = speed + "\n"
	}
	files := map[string]string{}
	if got := machine(t, files).Bandwidth(); got != 0 {
		t.Errorf("%d without cards", got)
	}
	card(files, "virtio", "up", "-1")
	if got := machine(t, files).Bandwidth(); got != 0 {
		t.Errorf("%d where none says", got)
	}
	card(files, "slow", "up", "1000")
	card(files, "fast", "up", "25000")
	card(files, "off", "down", "100000")
	files["sys/class/net/docker0/operstate"], files["sys/class/net/docker0/speed"] = "up", "400000"
	if got := machine(t, files).Bandwidth(); got != 25_000_000_000 {
		t.Errorf("%d, want that of the fastest card that is up", got)
	}
}

func TestGPUs(t *testing.T) {
	files := map[string]string{
		"proc/driver/nvidia/gpus/0000:03:00.0/information": "Model: \t\t Tesla T4\nIRQ:   \t\t 40\nGPU UUID: \t GPU-b\nDevice Minor: \t 1\n",
		"proc/driver/nvidia/gpus/0000:02:00.0/information": "Model: \t\t Tesla T4\nGPU UUID: \t GPU-a\nDevice Minor: \t 0\n",
		"proc/driver/nvidia/gpus/0000:04:00.0/information": "GPU UUID: \t GPU-????????\n",
		"sys/class/drm/renderD128/device":                  "->sys/devices/pci/0000:05:00.0",
		"sys/devices/pci/0000:05:00.0/vendor":              "0x1002\n",
		"sys/class/drm/renderD129/device":                  "->sys/devices/pci/0000:06:00.0",
		"sys/devices/pci/0000:06:00.0/vendor":              "0x8086\n",
		"sys/class/drm/card0/device":                       "->sys/devices/pci/0000:05:00.0",
		"dev/dri/renderD128":                               "",
		"dev/dri/renderD129":                               "",
	}
	if got := machine(t, files).GPUs(); len(got) > 0 {
		t.Errorf("%+v, which nothing can hand out", got)
	}
	files["usr/bin/"+nvidiaHook], files["dev/kfd"] = "", ""
	want := []GPU{
		{ID: "0000:05:00.0", File: "/dev/dri/renderD128", Paths: []string{"/dev/dri/renderD128", "/dev/kfd"}},
		{ID: "GPU-a", Model: "Tesla T4", File: "/dev/nvidia0", Driver: "nvidia"},
		{ID: "GPU-b", Model: "Tesla T4", File: "/dev/nvidia1", Driver: "nvidia"},
	}
	if d := cmp.Diff(want, machine(t, files).GPUs()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
