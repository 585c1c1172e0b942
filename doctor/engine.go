package doctor

import (
	"slices"
	"strconv"
	"strings"

	"github.com/musterhq/muster/api"
)

// The oldest engine and API that Muster works with.
const (
	oldestEngine = "20.10"
	oldestAPI    = "1.41"
)

func (r *report) engine(f api.HostFacts) {
	if f.EngineError != "" {
		r.fail("engine", "sudo systemctl status docker; sudo journalctl -u docker -n 50", "the container engine %s", f.EngineError)
		return
	}
	e := f.Engine
	if e == nil {
		return
	}
	update := "update Docker Engine: https://docs.docker.com/engine/install/"
	if older(e.Version, oldestEngine) {
		r.fail("engine", update, "engine %s is older than %s", e.Version, oldestEngine)
	} else {
		r.ok("engine", "engine %s", e.Version)
	}
	switch {
	case e.APIVersion == "":
	case older(e.APIVersion, oldestAPI):
		r.fail("engine-api", update, "its API %s is older than %s", e.APIVersion, oldestAPI)
	default:
		r.ok("engine-api", "API %s", e.APIVersion)
	}
	r.settings(e)
}

// settings judges how the engine is set up.
func (r *report) settings(e *api.EngineFacts) {
	daemon := func(setting string) string {
		return "put " + setting + " in /etc/docker/daemon.json, then: sudo systemctl restart docker"
	}
	switch e.StorageDriver {
	case "":
	case "vfs", "devicemapper", "aufs":
		r.warn("storage-driver", daemon(`"storage-driver": "overlay2"`), "%s is slow and takes much room", e.StorageDriver)
	default:
		r.ok("storage-driver", "%s", e.StorageDriver)
	}
	if e.CgroupVersion != "" {
		r.ok("cgroup", "version %s, driver %s", e.CgroupVersion, e.CgroupDriver)
	}
	switch e.LogDriver {
	case "":
	case "json-file", "local", "journald":
		r.ok("log-driver", "%s", e.LogDriver)
	default:
		r.warn("log-driver", daemon(`"log-driver": "json-file"`), "muster logs may not be able to read %s", e.LogDriver)
	}
	if e.LiveRestore {
		r.ok("live-restore", "containers outlive a restart of the engine")
	} else {
		r.warn("live-restore", `put "live-restore": true in /etc/docker/daemon.json, then: sudo systemctl reload docker`,
			"a restart of the engine stops its containers")
	}
	if len(e.Warnings) > 0 {
		r.warn("engine-warnings", "docker info shows them; most name a setting of the kernel", "%s", strings.Join(e.Warnings, "; "))
	}
}

// older compares versions part by part; what is no number counts as new.
func older(a, b string) bool {
	parts := func(v string) (out []int) {
		for p := range strings.SplitSeq(v, ".") {
			digits, _, _ := strings.Cut(p, "-")
			n, err := strconv.Atoi(digits)
			if err != nil {
				return nil
			}
			out = append(out, n)
		}
		return out
	}
	x, y := parts(a), parts(b)
	return x != nil && slices.Compare(x, y) < 0
}

func itoa(n int) string { return strconv.Itoa(n) }
