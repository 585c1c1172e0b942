//go:build linux

package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// OutsideAddr is where tests are, as the hosts see it.
const OutsideAddr = "10.213.0.1"

const (
	bridge      = "mlab0"
	netnsDir    = "/run/netns"
	netnsPrefix = "mlab-"
	linkPrefix  = "mlab"
	maxHosts    = 200
	// dropChain holds, in each host, the addresses whose packets are lost.
	dropChain = "MUSTER-LAB"
)

// bridgeRules let frames through between hosts where br_netfilter hands them to
// iptables, and let outside and hosts talk.
var bridgeRules = [][]string{
	{"FORWARD", "-i", bridge, "-o", bridge, "-j", "ACCEPT"},
	{"INPUT", "-i", bridge, "-j", "ACCEPT"},
}

func addBridge(ctx context.Context) error {
	err := ip(ctx, "",
		"link add "+bridge+" type bridge forward_delay 0",
		"addr add "+OutsideAddr+"/24 dev "+bridge,
		"link set "+bridge+" up")
	if err != nil {
		return fmt.Errorf("make the bridge: %w", err)
	}
	for _, rule := range bridgeRules {
		if err := run(ctx, "", "iptables", append([]string{"-w", "-I"}, rule...)...); err != nil {
			return fmt.Errorf("let the bridge forward: %w", err)
		}
	}
	return nil
}

// removeLinks removes the bridge, its rules, and any cable left without a host.
func removeLinks(ctx context.Context) error {
	for _, rule := range bridgeRules {
		for run(ctx, "", "iptables", append([]string{"-w", "-C"}, rule...)...) == nil {
			if err := run(ctx, "", "iptables", append([]string{"-w", "-D"}, rule...)...); err != nil {
				return err
			}
		}
	}
	links, err := filepath.Glob("/sys/class/net/" + linkPrefix + "*")
	if err != nil {
		return err
	}
	for _, link := range links {
		if err := ip(ctx, "", "link del "+filepath.Base(link)); err != nil {
			return err
		}
	}
	return nil
}

// plugIn makes the host's network namespace and its cable. The hardware address
// is fixed, as a host's is across boots.
func (h *Host) plugIn(ctx context.Context) error {
	if err := ip(ctx, "", "netns add "+h.netns()); err != nil {
		return err
	}
	err := ip(ctx, "",
		fmt.Sprintf("link add %s type veth peer name eth0 netns %s", h.link(), h.netns()),
		fmt.Sprintf("link set %s master %s up", h.link(), bridge))
	if err != nil {
		return err
	}
	return ip(ctx, h.netns(),
		"link set lo up",
		"link set eth0 address "+h.hardware(),
		fmt.Sprintf("addr add %s/24 dev eth0", h.Addr),
		"link set eth0 up",
		"route add default via "+OutsideAddr)
}

// unplug removes cable and namespace, and with them every socket, rule and
// device that the host had in its kernel.
func (h *Host) unplug(ctx context.Context) error {
	return removeNetns(ctx, h.netns(), h.link())
}

func removeNetns(ctx context.Context, netns, link string) error {
	if exists("/sys/class/net/" + link) {
		if err := ip(ctx, "", "link del "+link); err != nil {
			return err
		}
	}
	if exists(netnsDir + "/" + netns) {
		return ip(ctx, "", "netns del "+netns)
	}
	return nil
}

func (h *Host) netns() string { return netnsPrefix + h.Name }

// hardware is the host's hardware address.
func (h *Host) hardware() string { return fmt.Sprintf("02:4d:55:53:00:%02x", h.number) }

func (h *Host) link() string { return linkPrefix + h.Name }

// ip runs iproute2 commands as one batch, in the named namespace or in the
// machine's own.
func ip(ctx context.Context, netns string, commands ...string) error {
	args := []string{"-batch", "-"}
	if netns != "" {
		args = append([]string{"-n", netns}, args...)
	}
	return run(ctx, strings.Join(commands, "\n")+"\n", "ip", args...)
}

// setLink raises or lowers a link in microseconds: no process is started.
func setLink(name string, up bool) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("set link %s: %w", name, err)
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq(name)
	if err != nil {
		return fmt.Errorf("set link %s: %w", name, err)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req); err != nil {
		return fmt.Errorf("read link %s: %w", name, err)
	}
	flags := req.Uint16() &^ unix.IFF_UP
	if up {
		flags |= unix.IFF_UP
	}
	req.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("set link %s: %w", name, err)
	}
	return nil
}
