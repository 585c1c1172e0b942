package filter

import (
	"maps"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/network"
)

// way is how a UDP client came to a task: at a service's own address, or at a
// published port.
type way struct {
	address netip.Addr // zero: a published port
	port    uint16     // 0: any
	to      netip.AddrPort
}

// ways are all that rules give.
func ways(r *network.Rules) map[way]bool {
	out := map[way]bool{}
	for _, s := range r.Services {
		for _, t := range s.Tasks {
			out[way{address: s.Address, to: netip.AddrPortFrom(t, 0)}] = true
		}
	}
	for _, p := range r.Published {
		for _, t := range p.Tasks {
			if p.Protocol == "udp" {
				out[way{port: p.Port, to: t}] = true
			}
		}
	}
	return out
}

// endFlows has UDP clients of tasks that left dealt out anew: the kernel remembers
// where it sent a client for as long as the client goes on. Connections of TCP end
// by themselves, or with their task.
func (f *Filter) endFlows(now *network.Rules) {
	gone := goneWays(f.ways)
	f.ways = ways(now)
	maps.DeleteFunc(gone, func(w way, _ bool) bool { return f.ways[w] })
	if len(gone) == 0 {
		return
	}
	n, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, gone)
	if err != nil {
		f.log.Warn("UDP clients of tasks that went may go on to reach nobody for a minute", "error", err)
		return
	}
	if n > 0 {
		f.log.Info("UDP clients of tasks that went are dealt out anew", "clients", n)
	}
}

// goneWays matches the flows that came to their task by one of them.
type goneWays map[way]bool

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (g goneWays) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	if flow.Forward.Protocol != unix.IPPROTO_UDP {
		return false
	}
	called, _ := netip.AddrFromSlice(flow.Forward.DstIP)
	from, _ := netip.AddrFromSlice(flow.Reverse.SrcIP)
	called, from = called.Unmap(), from.Unmap()
	return g[way{address: called, to: netip.AddrPortFrom(from, 0)}] ||
		g[way{port: flow.Forward.DstPort, to: netip.AddrPortFrom(from, flow.Reverse.SrcPort)}]
}
