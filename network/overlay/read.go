package overlay

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/network"
)

// tunnelName begins the names of tunnels; a number follows.
const tunnelName = "mx"

// read is what the kernel has of what plan wants to know.
func (h *host) read(want network.Overlay) (state, error) {
	links, err := again(h.nl.LinkList)
	if err != nil {
		return state{}, fmt.Errorf("list the interfaces: %w", err)
	}
	s := state{Links: make(map[string]link), Redirects: redirects(want)}
	s.Underlay, s.Local = h.underlay(want.Address, links)
	quiet, err := h.quietPorts()
	if err != nil {
		return state{}, fmt.Errorf("list the ports of bridges: %w", err)
	}
	named := map[string]bool{wireGuardLink: true}
	for _, t := range want.Tunnels {
		named[t.Interface], named[t.Bridge] = true, true
	}
	tunnels := make(map[int]tables)
	for _, l := range links {
		if name := l.Attrs().Name; named[name] || isTunnelName(name) {
			s.Links[name] = describe(l, quiet, tunnels)
		}
	}
	if err := h.readTables(tunnels); err != nil {
		return state{}, fmt.Errorf("list the forwarding entries: %w", err)
	}
	if s.WireGuard, err = h.readWireGuard(); err != nil {
		return state{}, fmt.Errorf("ask WireGuard: %w", err)
	}
	if l, there := s.Links[wireGuardLink]; there {
		if l.Addresses, err = h.addresses(l.Index); err != nil {
			return state{}, fmt.Errorf("list the addresses of %s: %w", wireGuardLink, err)
		}
		s.Links[wireGuardLink] = l
	}
	return s, nil
}

func isTunnelName(name string) bool {
	number, ok := strings.CutPrefix(name, tunnelName)
	_, err := strconv.ParseUint(number, 10, 32)
	return ok && err == nil
}

// describe adds the interface to the tunnels if it may be one.
func describe(l netlink.Link, quiet map[int]bool, tunnels map[int]tables) link {
	a := l.Attrs()
	out := link{
		Index: a.Index, Kind: l.Type(), MTU: a.MTU, Up: a.RawFlags&unix.IFF_UP != 0,
		Master: a.MasterIndex, Quiet: quiet[a.Index],
	}
	if v, ok := l.(*netlink.Vxlan); ok {
		local, _ := netip.AddrFromSlice(v.SrcAddr)
		out.VXLAN = vxlan{
			Number: uint32(v.VxlanId), Port: uint16(v.Port), Local: local.Unmap(), Lower: v.VtepDevIndex,
			Proxy: v.Proxy, Learns: v.Learning,
		}
		out.Tables = tables{make(map[mac]netip.Addr), make(map[mac]bool), make(map[netip.Addr]mac)}
		tunnels[a.Index] = out.Tables
	}
	return out
}

// quietPorts asks once for the ports of all bridges.
func (h *host) quietPorts() (map[int]bool, error) {
	messages, err := again(func() ([][]byte, error) {
		request := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP)
		request.Sockets = h.raw
		request.AddData(nl.NewIfInfomsg(unix.AF_BRIDGE))
		return request.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	})
	if err != nil {
		return nil, err
	}
	out := make(map[int]bool)
	for _, m := range messages {
		l, err := netlink.LinkDeserialize(&unix.NlMsghdr{Type: unix.RTM_NEWLINK}, m)
		if err != nil {
			return nil, err
		}
		if p := l.Attrs().Protinfo; p != nil && !p.Learning && !p.Flood {
			out[l.Attrs().Index] = true
		}
	}
	return out, nil
}

// underlay is the MTU of the interface that has the address. The address may be
// another machine's that translates it to this host's; then it is that of the
// interface which leads there.
func (h *host) underlay(address netip.Addr, links []netlink.Link) (mtu int, local bool) {
	if !address.IsValid() {
		return 0, false
	}
	byIndex := make(map[int]int, len(links))
	for _, l := range links {
		byIndex[l.Attrs().Index] = l.Attrs().MTU
	}
	all, err := again(func() ([]netlink.Addr, error) { return h.nl.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return 0, false
	}
	for _, a := range all {
		if got, _ := netip.AddrFromSlice(a.IP); got.Unmap() == address {
			return byIndex[a.LinkIndex], true
		}
	}
	routes, err := h.nl.RouteGet(address.AsSlice())
	if err != nil || len(routes) == 0 {
		return 0, false
	}
	return byIndex[routes[0].LinkIndex], false
}

func (h *host) addresses(index int) ([]netip.Prefix, error) {
	all, err := again(func() ([]netlink.Addr, error) { return h.nl.AddrList(nil, netlink.FAMILY_V4) })
	var out []netip.Prefix
	for _, a := range all {
		if ip, _ := netip.AddrFromSlice(a.IP.To4()); a.LinkIndex == index {
			bits, _ := a.Mask.Size()
			out = append(out, netip.PrefixFrom(ip, bits))
		}
	}
	return out, err
}

// redirects are the settings that matter while there are bridges of ours.
func redirects(want network.Overlay) map[string]bool {
	out := make(map[string]bool)
	for _, t := range want.Tunnels {
		text, err := os.ReadFile(filepath.Join(settings, t.Bridge, "send_redirects"))
		if err != nil {
			continue // there is no such bridge yet
		}
		out[t.Bridge] = strings.TrimSpace(string(text)) != "0"
		all, err := os.ReadFile(filepath.Join(settings, "all", "send_redirects"))
		out["all"] = err == nil && strings.TrimSpace(string(all)) != "0"
	}
	return out
}
