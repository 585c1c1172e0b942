package overlay

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// settings are the kernel's of every interface.
const settings = "/proc/sys/net/ipv4/conf"

// host does what plan says, in the network namespace that it was made in. Only one
// goroutine at a time uses it.
type host struct {
	key  Key
	log  *slog.Logger
	nl   *netlink.Handle
	raw  map[int]*nl.SocketHandle // for messages that package netlink has no words for
	tun  *os.File                 // of muster0, where WireGuard is not the kernel's; nil: not open
	wg   wireGuard                // nil: none
	made int                      // index of the interface that wg is of
}

func newHost(cfg Config) (*host, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	socket, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		handle.Close()
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	return &host{
		key: cfg.Key, log: cfg.Logger, nl: handle, tun: cfg.Tun,
		raw: map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: socket}},
	}, nil
}

// close leaves everything in the kernel as it is.
func (h *host) close() {
	h.stopWireGuard()
	h.closeTUN()
	h.nl.Close()
	h.raw[unix.NETLINK_ROUTE].Close()
}

func (h *host) do(a action) error {
	switch a := a.(type) {
	case removeLink:
		return h.removeLink(a.Name)
	case startWireGuard:
		return h.startWireGuard(a)
	case setPort:
		return h.withWireGuard(func(w wireGuard) error { return w.setPort(a.Port) })
	case setPeers:
		return h.withWireGuard(func(w wireGuard) error { return w.setPeers(a) })
	case setMTU:
		return h.withLink(a.Name, func(l netlink.Link) error { return h.nl.LinkSetMTU(l, a.MTU) })
	case setUp:
		return h.withLink(a.Name, h.nl.LinkSetUp)
	case addAddress:
		return h.withLink(wireGuardLink, func(l netlink.Link) error { return h.nl.AddrReplace(l, address(a.Prefix)) })
	case removeAddress:
		return h.withLink(wireGuardLink, func(l netlink.Link) error { return h.nl.AddrDel(l, address(a.Prefix)) })
	case addTunnel:
		return h.addTunnel(a)
	case attach:
		return h.attach(a)
	case quiet:
		return h.quiet(a)
	case setEntries:
		return h.setEntries(a)
	case noRedirects:
		return os.WriteFile(filepath.Join(settings, a.Bridge, "send_redirects"), []byte("0"), 0)
	}
	return errors.ErrUnsupported
}

func (h *host) withLink(name string, do func(netlink.Link) error) error {
	l, err := h.nl.LinkByName(name)
	if err != nil {
		return err
	}
	return do(l)
}

func (h *host) removeLink(name string) error {
	if name == wireGuardLink {
		h.stopWireGuard()
		defer h.closeTUN()
	}
	err := h.withLink(name, h.nl.LinkDel)
	if missing := (netlink.LinkNotFoundError{}); errors.As(err, &missing) || errors.Is(err, unix.ENODEV) {
		return nil // with muster0 go the tunnels on it
	}
	return err
}

func (h *host) addTunnel(a addTunnel) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = a.Name, a.MTU
	link := &netlink.Vxlan{LinkAttrs: attrs, VxlanId: int(a.VXLAN.Number), Port: int(a.VXLAN.Port), Proxy: a.VXLAN.Proxy, Learning: a.VXLAN.Learns}
	if a.VXLAN.Local.IsValid() {
		link.SrcAddr = a.VXLAN.Local.AsSlice()
	}
	if a.Lower {
		lower, err := h.nl.LinkByName(wireGuardLink)
		if err != nil {
			return err
		}
		link.VtepDevIndex = lower.Attrs().Index
	}
	return h.nl.LinkAdd(link)
}

func (h *host) attach(a attach) error {
	return h.withLink(a.Bridge, func(bridge netlink.Link) error {
		return h.withLink(a.Name, func(l netlink.Link) error { return h.nl.LinkSetMaster(l, bridge) })
	})
}

func (h *host) quiet(a quiet) error {
	return h.withLink(a.Name, func(l netlink.Link) error {
		return errors.Join(h.nl.LinkSetLearning(l, false), h.nl.LinkSetFlood(l, false))
	})
}

func address(p netip.Prefix) *netlink.Addr {
	const ipv4Bits = 32
	return &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), ipv4Bits)}}
}
