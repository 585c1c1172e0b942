package filter

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"

	"github.com/musterhq/muster/network"
)

// bridgeFilter is whether packets between containers on one bridge pass the packet
// filter (br_netfilter). Without it the answer of a task that was reached at its
// service's address goes straight to the client, with the task's own address, and
// the client takes it for a stranger's. Each network namespace has its own.
const bridgeFilter = "/proc/sys/net/bridge/bridge-nf-call-iptables"

// held is what became of the settings of the kernel that services' own addresses
// need.
type held struct {
	virtual  bool
	problems []string
}

func (s state) with(h held) state {
	s.virtual = h.virtual
	s.problems = append(s.problems, h.problems...)
	return s
}

// holdBridges has the settings be as they need to be. A bridge that is not there
// yet gets its own when it is.
func holdBridges(bridges []network.Bridge) held {
	if len(bridges) == 0 {
		return held{virtual: true}
	}
	if err := holdSetting(bridgeFilter, "1"); err != nil {
		return held{problems: []string{explainBridgeFilter(err)}}
	}
	h := held{virtual: true}
	// The kernel sends redirects where one of the two says so.
	for _, name := range append([]string{"all"}, names(bridges)...) {
		err := holdSetting(fmt.Sprintf("/proc/sys/net/ipv4/conf/%s/send_redirects", name), "0")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			h.problems = append(h.problems, explainRedirects(name, err))
		}
	}
	for _, b := range bridges {
		if err := reflect(b.Name); err != nil {
			h.problems = append(h.problems, explainReflect(b.Name, err))
		}
	}
	return h
}

// reflect has containers reach themselves over their bridge, as a task does that
// calls its own service. The way to other hosts is not to give back what it got.
func reflect(bridge string) error {
	br, err := netlink.LinkByName(bridge)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the bridge: %w", err)
	}
	ports, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list the bridge's ports: %w", err)
	}
	for _, p := range ports {
		if p.Attrs().MasterIndex != br.Attrs().Index || p.Type() != "veth" {
			continue
		}
		if err := reflectPort(p); err != nil {
			return err
		}
	}
	return nil
}

func reflectPort(p netlink.Link) error {
	now, err := netlink.LinkGetProtinfo(p)
	if err == nil && !now.Hairpin {
		err = netlink.LinkSetHairpin(p, true)
	}
	if err != nil && !errors.Is(err, syscall.ENODEV) { // its container may have ended
		return fmt.Errorf("change the bridge's port %s: %w", p.Attrs().Name, err)
	}
	return nil
}

func names(bridges []network.Bridge) []string {
	out := make([]string, len(bridges))
	for i, b := range bridges {
		out[i] = b.Name
	}
	return out
}

// holdSetting writes a setting that has another value.
func holdSetting(path, value string) error {
	now, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read a setting of the kernel: %w", err)
	}
	if strings.TrimSpace(string(now)) == value {
		return nil
	}
	if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
		return fmt.Errorf("change a setting of the kernel: %w", err)
	}
	return nil
}
