package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/musterhq/muster/api"
)

// Bounds of what is well between clocks. Nothing that is decided depends on
// them, but tokens, certificates and what people read do.
const (
	skewed    = 500 * time.Millisecond
	tooSkewed = 10 * time.Second
)

// passed is the outcome of a way that works.
const passed = "ok"

// wayCheck is one thing that is tried on every way.
type wayCheck struct {
	name    string
	outcome func(api.Way) string
	port    func(api.Way) int
	proto   string
}

var wayChecks = []wayCheck{
	{"api", func(w api.Way) string { return w.API }, func(w api.Way) int { return w.APIPort }, "tcp"},
	{"gossip-tcp", func(w api.Way) string { return w.GossipTCP }, func(w api.Way) int { return w.GossipPort }, "tcp"},
	{"gossip-udp", func(w api.Way) string { return w.GossipUDP }, func(w api.Way) int { return w.GossipPort }, "udp"},
	{"published-ports", func(w api.Way) string { return w.Sample }, func(w api.Way) int { return w.SamplePort }, "tcp"},
}

// publishedRange is what Linux gives to published containers by default.
const publishedRange = "32768:60999"

// Ways judges how a node, at an address, reaches others: one finding for all
// that is well, and one for each way that is not.
func Ways(node, address string, ways []api.Way) []api.Finding {
	r := &report{node: node}
	for _, c := range wayChecks {
		var good []string
		for _, w := range ways {
			switch outcome := c.outcome(w); outcome {
			case "":
			case passed:
				good = append(good, w.ToName)
			default:
				r.fail(c.name, c.open(w, address), "no way to %s at %s:%d/%s: %s", w.ToName, w.Address, c.port(w), c.proto, outcome)
			}
		}
		if len(good) > 0 {
			r.ok(c.name, "reaches %s", names(good))
		}
	}
	r.packets(ways)
	r.skew(ways)
	return r.out
}

// open is the command that lets this node in at the other end.
func (c wayCheck) open(w api.Way, from string) string {
	port := itoa(c.port(w))
	if c.name == "published-ports" {
		port = publishedRange
	}
	who := ""
	if from != "" {
		who = " -s " + from
	}
	return fmt.Sprintf("on %s: sudo iptables -I INPUT -p %s%s --dport %s -j ACCEPT (or the same in its firewall, and in any between)", w.ToName, c.proto, who, port)
}

// names lists the first few.
func names(all []string) string {
	const shown = 6
	if len(all) > shown {
		return strings.Join(all[:shown], ", ") + fmt.Sprintf(" and %d more", len(all)-shown)
	}
	return strings.Join(all, ", ")
}

// packets judges whether full packets come through.
func (r *report) packets(ways []api.Way) {
	least, whose := 0, ""
	for _, w := range ways {
		if w.API != passed {
			continue
		}
		if w.Large != "" && w.Large != passed {
			r.fail("path-mtu", "on both hosts: sudo ip link set dev IFACE mtu 1400, or let ICMP \"fragmentation needed\" pass the firewalls between",
				"small packets reach %s, many large ones do not: %s", w.ToName, w.Large)
			return
		}
		if w.PathMTU > 0 && (least == 0 || w.PathMTU < least) {
			least, whose = w.PathMTU, w.ToName
		}
	}
	switch {
	case least == 0:
	case least < smallestMTU:
		r.fail("path-mtu", "look for a tunnel with a small MTU on the way: tracepath "+whose, "packets to %s carry %d bytes at most", whose, least)
	default:
		r.ok("path-mtu", "packets of %d bytes reach every node", least)
	}
}

// skew judges how far the clocks of others are from this one.
func (r *report) skew(ways []api.Way) {
	const advice = "on both: sudo timedatectl set-ntp true, then look at: timedatectl timesync-status"
	worst, whose, seen := time.Duration(0), "", 0
	for _, w := range ways {
		if w.Skew == nil {
			continue
		}
		seen++
		// What half of the round trip and the other clock's grain explain is none.
		off := max(w.Skew.Abs()-w.RTT/2-w.Grain, 0)
		if off >= worst {
			worst, whose = off, fmt.Sprintf("%s's clock is %s %s", w.ToName, w.Skew.Abs().Round(time.Millisecond), direction(*w.Skew))
		}
	}
	switch {
	case seen == 0:
	case worst >= tooSkewed:
		r.fail("clock", advice, "%s", whose)
	case worst >= skewed:
		r.warn("clock", advice, "%s", whose)
	default:
		r.ok("clock", "within %s of the others", max(worst.Round(time.Millisecond), time.Millisecond))
	}
}

func direction(d time.Duration) string {
	if d < 0 {
		return "behind"
	}
	return "ahead"
}

// waysTried is how many others a node tries its way to.
const waysTried = 16

// Neighbours are the nodes, of n in one order for all, that node i tries its way
// to: all others in a small cluster, the next few in a large one, so that every
// node is tried by as many.
func Neighbours(n, i int) []int {
	var out []int
	for step := 1; step < n && len(out) < waysTried; step++ {
		out = append(out, (i+step)%n)
	}
	return out
}
