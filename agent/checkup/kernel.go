package checkup

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"

	"github.com/musterhq/muster/api"
)

// options are the kernel's names of features, by ours: that of the module, too.
var options = map[string]string{
	"overlay": "CONFIG_OVERLAY_FS", "nf_tables": "CONFIG_NF_TABLES", "vxlan": "CONFIG_VXLAN", "tun": "CONFIG_TUN", "wireguard": "CONFIG_WIREGUARD",
}

// maxConfig bounds the kernel's configuration, in bytes.
const maxConfig = 4 << 20

// features finds out what the kernel has, loaded or to be loaded. Where it tells
// neither its configuration nor its modules, what is not seen is not known.
func (h host) features(f *api.HostFacts) {
	config, known := h.config()
	modules := "lib/modules/" + f.Kernel
	builtin, loadable := h.read(modules+"/modules.builtin"), h.read(modules+"/modules.dep")
	known = known || builtin != nil && loadable != nil
	for name, option := range options {
		file := []byte("/" + name + ".ko")
		there := h.exists("sys/module/"+name) || config[option] || bytes.Contains(builtin, file) || bytes.Contains(loadable, file) || h.seen(name)
		if there || known {
			f.Features[name] = there
		}
	}
}

// seen reports whether a feature shows by itself, however it came there.
func (h host) seen(name string) bool {
	switch name {
	case "overlay":
		return strings.Contains(string(h.read("proc/filesystems")), "\toverlay\n")
	case "tun":
		return h.exists("dev/net/tun")
	}
	return false
}

// config is the kernel's configuration, where it keeps one: what is built in or
// a module.
func (h host) config() (set map[string]bool, known bool) {
	z, err := gzip.NewReader(bytes.NewReader(h.read("proc/config.gz")))
	if err != nil {
		return nil, false
	}
	text, err := io.ReadAll(io.LimitReader(z, maxConfig))
	if err != nil {
		return nil, false
	}
	set = map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && value == "y" {
			set[name] = true
		}
	}
	return set, true
}
