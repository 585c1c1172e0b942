package hoststats

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Hardware looks at what of the host changes only with its parts. Root is where
// its file systems are; "" is the real one.
type Hardware struct{ Root string }

// GPU is a graphics card that containers can be given.
type GPU struct {
	ID    string // NVIDIA's UUID, or the address on the bus
	Model string // "" where the kernel does not say
	File  string // of the card alone
	// Driver is what an engine hands it out with; "" where its Paths do.
	Driver string
	Paths  []string
}

func (h Hardware) path(elem ...string) string {
	return filepath.Join(append([]string{"/", h.Root}, elem...)...)
}

// word is what a file of the kernel holds, "" where there is none.
func (h Hardware) word(elem ...string) string {
	b, err := os.ReadFile(h.path(elem...))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (h Hardware) has(elem ...string) bool {
	_, err := os.Stat(h.path(elem...))
	return err == nil
}

func (h Hardware) entries(elem ...string) []fs.DirEntry {
	list, err := os.ReadDir(h.path(elem...))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil // what cannot be looked at is not handed out
	}
	return list
}

// Bandwidth is the speed of the host's fastest network card that is up, in bits a
// second; 0 where none says, as most virtual ones do not.
func (h Hardware) Bandwidth() int64 {
	const mega = 1_000_000
	best := int64(0)
	for _, e := range h.entries("sys/class/net") {
		if !h.has("sys/class/net", e.Name(), "device") || h.word("sys/class/net", e.Name(), "operstate") != "up" {
			continue
		}
		if n, err := strconv.ParseInt(h.word("sys/class/net", e.Name(), "speed"), 10, 32); err == nil {
			best = max(best, n*mega)
		}
	}
	return best
}

// GPUs are the graphics cards that containers can compute with, in the order of
// their IDs: NVIDIA's where the engine's hook for them is installed, and AMD's
// with the kernel's interface for computing.
func (h Hardware) GPUs() []GPU {
	out := append(h.nvidia(), h.amd()...)
	slices.SortFunc(out, func(a, b GPU) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// nvidiaHook is what Docker Engine hands NVIDIA's cards out with; the engine
// looks for it on its PATH.
const nvidiaHook = "nvidia-container-runtime-hook"

func (h Hardware) nvidia() []GPU {
	if !slices.ContainsFunc([]string{"usr/bin", "usr/local/bin", "usr/sbin", "usr/local/sbin", "bin", "sbin"}, func(dir string) bool { return h.has(dir, nvidiaHook) }) {
		return nil
	}
	var out []GPU
	for _, e := range h.entries("proc/driver/nvidia/gpus") {
		gpu := GPU{Driver: "nvidia"}
		for line := range strings.Lines(h.word("proc/driver/nvidia/gpus", e.Name(), "information")) {
			key, value, _ := strings.Cut(line, ":")
			switch value = strings.TrimSpace(value); strings.TrimSpace(key) {
			case "Model":
				gpu.Model = value
			case "GPU UUID":
				gpu.ID = value
			case "Device Minor":
				gpu.File = "/dev/nvidia" + value
			}
		}
		if gpu.File != "" && strings.HasPrefix(gpu.ID, "GPU-") && !strings.Contains(gpu.ID, "?") { // as it is while the driver loads
			out = append(out, gpu)
		}
	}
	return out
}

const vendorAMD = "0x1002"

func (h Hardware) amd() []GPU {
	if !h.has("dev/kfd") {
		return nil
	}
	var out []GPU
	for _, e := range h.entries("sys/class/drm") {
		name := e.Name()
		if !strings.HasPrefix(name, "renderD") || h.word("sys/class/drm", name, "device/vendor") != vendorAMD || !h.has("dev/dri", name) {
			continue
		}
		bus, err := filepath.EvalSymlinks(h.path("sys/class/drm", name, "device"))
		if err != nil {
			continue
		}
		file := "/dev/dri/" + name
		out = append(out, GPU{
			ID: filepath.Base(bus), Model: h.word("sys/class/drm", name, "device/product_name"), File: file, Paths: []string{file, "/dev/kfd"},
		})
	}
	return out
}
