package checkup

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/api"
)

// Look reads what the files below root say of a host; root is "/" but in tests.
// What cannot be read is left out.
func Look(root string) api.HostFacts {
	h := host(root)
	f := api.HostFacts{Kernel: h.line("proc/sys/kernel/osrelease"), Features: map[string]bool{}, Settings: map[string]string{}}
	for _, s := range []string{"net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"} {
		f.Settings[s] = h.line("proc/sys/" + s)
	}
	if f.Settings["net/ipv4/ip_forward"] == "" {
		delete(f.Settings, "net/ipv4/ip_forward") // always there: it could not be read
	}
	h.features(&f)
	h.memory(&f)
	h.unit(&f)
	return f
}

// Self adds what only the process itself can ask its kernel.
func Self(f *api.HostFacts) {
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		f.OpenFiles = files.Cur
	}
	var clock unix.Timex
	if state, err := unix.Adjtimex(&clock); err == nil {
		synced := state != unix.TIME_ERROR && clock.Status&unix.STA_UNSYNC == 0
		f.ClockSynced = &synced
	}
	f.InterfaceMTU = LinkMTU(f.Address)
}

// LinkMTU is the MTU of the interface that has the address; 0 where there is none.
func LinkMTU(address string) int {
	all, err := net.Interfaces()
	if err != nil {
		return 0
	}
	for _, i := range all {
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if ip, ok := a.(*net.IPNet); ok && ip.IP.String() == address {
				return i.MTU
			}
		}
	}
	return 0
}

// host is the root of a file system.
type host string

func (h host) read(path string) []byte {
	b, _ := os.ReadFile(filepath.Join(string(h), path))
	return b
}

func (h host) line(path string) string { return strings.TrimSpace(string(h.read(path))) }

func (h host) exists(path string) bool {
	_, err := os.Stat(filepath.Join(string(h), path))
	return err == nil
}

// memory reads /proc/meminfo, whose values are in KiB.
func (h host) memory(f *api.HostFacts) {
	for line := range strings.Lines(string(h.read("proc/meminfo"))) {
		name, rest, _ := strings.Cut(line, ":")
		into := map[string]*int64{"MemTotal": &f.MemoryTotal, "MemAvailable": &f.MemoryFree, "SwapTotal": &f.SwapTotal, "SwapFree": &f.SwapFree}[name]
		if into == nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64); err == nil {
			*into = n << 10
		}
	}
}

// unitDirs are where systemd looks for units, in its order.
var unitDirs = []string{"etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"}

// unit finds the agent's unit and its KillMode.
func (h host) unit(f *api.HostFacts) {
	f.Systemd = h.exists("run/systemd/system")
	for _, dir := range unitDirs {
		path := filepath.Join(dir, "muster.service")
		content := h.read(path)
		if content == nil {
			continue
		}
		f.UnitFile = "/" + path
		for in := bufio.NewScanner(bytes.NewReader(content)); in.Scan(); {
			if mode, ok := strings.CutPrefix(strings.TrimSpace(in.Text()), "KillMode="); ok {
				f.KillMode = mode
			}
		}
		return
	}
}
