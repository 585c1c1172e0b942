package doctor

import (
	"strings"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// Bounds of what is well on a host.
const (
	slowFsync    = 50 * time.Millisecond  // commits and elections get slow
	stuckFsync   = 200 * time.Millisecond // a fifth of the election timeout: no leader is found
	fewFiles     = 65536
	tooFewFiles  = 4096
	lowDisk      = 256 << 20 // or a tenth of a small one
	fullDisk     = 32 << 20  // a vote rests
	lowMemory    = 20        // less than a 20th is free
	usualMTU     = 1500
	smallestMTU  = 1280 // IPv6 asks for it
	settingYes   = "1"
	unitAdvice   = "sudo install -m 644 configs/systemd/muster.service /etc/systemd/system/ && sudo systemctl daemon-reload && sudo systemctl enable muster"
	laterNetwork = "networks across hosts, when they come, need it"
)

// Host judges one host by what its agent saw.
func Host(f api.HostFacts) []api.Finding {
	r := &report{node: f.Name}
	r.ports(f)
	r.disk(f)
	r.memory(f)
	r.clock(f)
	r.files(f)
	r.unit(f)
	r.engine(f)
	r.kernel(f)
	r.mtu(f)
	return r.out
}

func (r *report) ports(f api.HostFacts) {
	for _, p := range f.PortsTaken {
		r.fail("ports-free", "sudo ss -ltnup 'sport = :"+itoa(p)+"' shows who; stop it, or start the agent with other ports (--port, --gossip-port)",
			"another program holds port %d", p)
	}
}

func (r *report) disk(f api.HostFacts) {
	const latency, room = "disk-latency", "disk-room"
	move := "put " + f.DataDir + " on a faster disk, or keep other writers away from it: sudo iotop -o shows them"
	switch {
	case f.FsyncError != "":
		r.fail(latency, "make "+f.DataDir+" writable for the agent: sudo df -h "+f.DataDir, "cannot write: %s", f.FsyncError)
	case f.Fsync == 0:
	case f.Fsync >= stuckFsync:
		r.fail(latency, move, "a write takes %s to reach the disk: too slow to elect a leader", f.Fsync.Round(time.Millisecond))
	case f.Fsync >= slowFsync:
		r.warn(latency, move, "a write takes %s to reach the disk", f.Fsync.Round(time.Millisecond))
	default:
		r.ok(latency, "a write takes %s to reach the disk", f.Fsync.Round(10*time.Microsecond))
	}
	if f.DiskSize == 0 {
		return
	}
	free, size := cluster.FormatBytes(f.DiskFree), cluster.FormatBytes(f.DiskSize)
	advice := "sudo du -xh --max-depth=2 / | sort -h | tail, and: docker system prune"
	switch {
	case f.DiskFree < min(fullDisk, f.DiskSize/20):
		r.fail(room, advice, "%s of %s free under %s", free, size, f.DataDir)
	case f.DiskFree < min(lowDisk, f.DiskSize/10):
		r.warn(room, advice, "%s of %s free under %s", free, size, f.DataDir)
	default:
		r.ok(room, "%s of %s free under %s", free, size, f.DataDir)
	}
}

func (r *report) memory(f api.HostFacts) {
	if f.MemoryTotal == 0 {
		return
	}
	free, total := cluster.FormatBytes(f.MemoryFree), cluster.FormatBytes(f.MemoryTotal)
	swapped := f.SwapTotal - f.SwapFree
	switch {
	case f.MemoryFree < f.MemoryTotal/lowMemory:
		r.warn("memory", "muster top shows who uses it; move work away with: muster node drain "+f.Name, "%s of %s free", free, total)
	case swapped > f.SwapTotal/2:
		r.warn("memory", "more memory, or fewer tasks here: muster node drain "+f.Name, "%s of %s swap is in use: what is swapped out is slow",
			cluster.FormatBytes(swapped), cluster.FormatBytes(f.SwapTotal))
	default:
		r.ok("memory", "%s of %s free, %s swap", free, total, cluster.FormatBytes(f.SwapTotal))
	}
}

func (r *report) clock(f api.HostFacts) {
	switch {
	case f.ClockSynced == nil:
	case *f.ClockSynced:
		r.ok("time-sync", "the clock is kept in step")
	default:
		r.warn("time-sync", "sudo timedatectl set-ntp true", "nothing keeps the clock in step")
	}
}

func (r *report) files(f api.HostFacts) {
	const advice = "set LimitNOFILE=1048576 in muster.service, then: sudo systemctl daemon-reload && sudo systemctl restart muster"
	switch {
	case f.OpenFiles == 0:
	case f.OpenFiles < tooFewFiles:
		r.fail("open-files", advice, "the agent may have %d files and connections open", f.OpenFiles)
	case f.OpenFiles < fewFiles:
		r.warn("open-files", advice, "the agent may have %d files and connections open", f.OpenFiles)
	default:
		r.ok("open-files", "the agent may have %d open", f.OpenFiles)
	}
}

func (r *report) unit(f api.HostFacts) {
	switch {
	case !f.Systemd:
		r.warn("unit", "have your init system start it: muster agent", "no systemd runs here: nothing that is known starts the agent after a boot")
	case f.UnitFile == "":
		r.warn("unit", unitAdvice, "there is no muster.service: nothing starts the agent after a boot")
	case f.KillMode != "process":
		r.fail("unit", "set KillMode=process in "+f.UnitFile+", then: sudo systemctl daemon-reload",
			"%s has KillMode=%s: stopping the agent can stop containers", f.UnitFile, orDefault(f.KillMode))
	default:
		r.ok("unit", "%s, KillMode=process", f.UnitFile)
	}
}

func orDefault(mode string) string {
	if mode == "" {
		return "control-group (the default)"
	}
	return mode
}

func (r *report) mtu(f api.HostFacts) {
	switch {
	case f.InterfaceMTU == 0:
	case f.InterfaceMTU < smallestMTU:
		r.fail("interface-mtu", "sudo ip link set dev $(ip -o addr | awk '/"+f.Address+"/{print $2}') mtu "+itoa(usualMTU),
			"the interface of %s takes packets of %d bytes", f.Address, f.InterfaceMTU)
	default:
		r.ok("interface-mtu", "the interface of %s takes packets of %d bytes", f.Address, f.InterfaceMTU)
	}
}

// feature is something of the kernel that Muster or its engine uses.
type feature struct{ name, check, option, why string }

var features = []feature{
	{"overlay", "overlayfs", "CONFIG_OVERLAY_FS", "the engine keeps images on it"},
	{"nf_tables", "nftables", "CONFIG_NF_TABLES", laterNetwork},
	{"vxlan", "vxlan", "CONFIG_VXLAN", laterNetwork},
	{"tun", "tun", "CONFIG_TUN", laterNetwork},
}

func (r *report) kernel(f api.HostFacts) {
	for _, k := range features {
		switch there, known := f.Features[k.name]; {
		case !known:
		case there:
			r.ok(k.check, "kernel %s has it", f.Kernel)
		default:
			r.warn(k.check, "sudo modprobe "+k.name+" && echo "+k.name+" | sudo tee /etc/modules-load.d/"+k.name+".conf; where that fails, a kernel with "+k.option,
				"kernel %s has none; %s", f.Kernel, k.why)
		}
	}
	if there, known := f.Features["wireguard"]; known {
		word := "kernel " + f.Kernel + " has it"
		if !there {
			word = "kernel " + f.Kernel + " has none; a program of our own will do the same more slowly"
		}
		r.ok("wireguard", "%s", word)
	}
	r.setting(f, "ip-forward", "net/ipv4/ip_forward", (*report).fail, "published ports of containers cannot be reached from outside")
	r.setting(f, "bridge-netfilter", "net/bridge/bridge-nf-call-iptables", (*report).warn, "traffic between containers of one bridge passes the firewall by; "+laterNetwork)
}

// setting judges a value of the kernel that should be 1.
func (r *report) setting(f api.HostFacts, check, path string, bad func(*report, string, string, string, ...any), why string) {
	name := strings.ReplaceAll(path, "/", ".")
	switch value, known := f.Settings[path]; {
	case !known:
	case value == settingYes:
		r.ok(check, "%s is 1", name)
	case value == "":
		r.warn(check, "sudo modprobe br_netfilter && echo br_netfilter | sudo tee /etc/modules-load.d/br_netfilter.conf", "%s is not there: %s", name, why)
	default:
		bad(r, check, "echo "+name+"=1 | sudo tee /etc/sysctl.d/90-muster.conf && sudo sysctl -w "+name+"=1", "%s is %s: %s", name, value, why)
	}
}
