package checkup

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// root makes a file system of the given files.
func root(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, content := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLook(t *testing.T) {
	f := Look(root(t, map[string]string{
		"proc/sys/kernel/osrelease":                    "6.1.0\n",
		"proc/sys/net/ipv4/ip_forward":                 "1\n",
		"proc/meminfo":                                 "MemTotal:        2048 kB\nMemFree: 1 kB\nMemAvailable:    1024 kB\nSwapTotal:          0 kB\n",
		"run/systemd/system/x":                         "",
		"usr/lib/systemd/system/muster.service":        "[Service]\nExecStart=muster agent\n  KillMode=process\n",
		"lib/modules/6.1.0/modules.builtin":            "kernel/fs/overlayfs/overlay.ko\n",
		"lib/modules/6.1.0/modules.dep":                "kernel/drivers/net/vxlan/vxlan.ko.xz: kernel/net/ipv4/udp_tunnel.ko.xz\n",
		"sys/module/nf_tables/refcnt":                  "0\n",
		"proc/sys/net/bridge/bridge-nf-call-ip6tables": "1\n",
	}))
	if f.Kernel != "6.1.0" || f.MemoryTotal != 2<<20 || f.MemoryFree != 1<<20 {
		t.Errorf("kernel %q, memory %d of %d", f.Kernel, f.MemoryFree, f.MemoryTotal)
	}
	if !f.Systemd || f.UnitFile != "/usr/lib/systemd/system/muster.service" || f.KillMode != "process" {
		t.Errorf("systemd %v, unit %q, KillMode %q", f.Systemd, f.UnitFile, f.KillMode)
	}
	if d := cmp.Diff(map[string]string{"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": ""}, f.Settings); d != "" {
		t.Errorf("settings (-want +got):\n%s", d)
	}
	want := map[string]bool{"overlay": true, "nf_tables": true, "vxlan": true, "tun": false, "wireguard": false}
	if d := cmp.Diff(want, f.Features); d != "" {
		t.Errorf("features (-want +got):\n%s", d)
	}
}

// TestFeaturesOfAKernelWithoutModules are in its configuration; what a kernel
// that tells nothing has is known only where it shows.
func TestFeaturesOfAKernelWithoutModules(t *testing.T) {
	f := Look(root(t, map[string]string{
		"proc/config.gz": zipped(t, "CONFIG_NF_TABLES=y\n# CONFIG_WIREGUARD is not set\nCONFIG_VXLAN=y\nCONFIG_TUN=y\nCONFIG_OVERLAY_FS=y\n"),
	}))
	want := map[string]bool{"overlay": true, "nf_tables": true, "vxlan": true, "tun": true, "wireguard": false}
	if d := cmp.Diff(want, f.Features); d != "" {
		t.Errorf("features (-want +got):\n%s", d)
	}
	f = Look(root(t, map[string]string{"dev/net/tun": "", "proc/filesystems": "nodev\toverlay\n\text4\n"}))
	if d := cmp.Diff(map[string]bool{"overlay": true, "tun": true}, f.Features); d != "" {
		t.Errorf("features that show (-want +got):\n%s", d)
	}
	if f.Systemd || f.UnitFile != "" || len(f.Settings) != 1 {
		t.Errorf("an empty host: %+v", f)
	}
}

func TestDial(t *testing.T) {
	port := Sample(t.Context())
	if port == 0 {
		t.Fatal("no sample port")
	}
	at := func(p int) string { return "127.0.0.1:" + itoa(p) }
	if got, mtu := Dial(t.Context(), at(port)); got != OK || mtu < 1280 {
		t.Errorf("an open port: %s, path MTU %d", got, mtu)
	}
	if got := Taken(port); len(got) != 1 {
		t.Errorf("port %d is taken, but Taken says %v", port, got)
	}
	if got, _ := Dial(t.Context(), "127.0.0.1:1"); !strings.HasPrefix(got, "refused") {
		t.Errorf("a closed port: %s", got)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
