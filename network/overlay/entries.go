package overlay

import (
	"errors"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// static is the state of an entry that never expires in either table. A permanent
// one would mean in the bridge's that the address is the bridge's own.
const static = unix.NUD_NOARP | unix.NUD_REACHABLE

// setEntries changes the tables of one tunnel, and says all that failed.
func (h *host) setEntries(a setEntries) error {
	l, err := h.nl.LinkByName(a.Name)
	if err != nil {
		return err
	}
	via := 0
	if a.Via {
		lower, err := h.nl.LinkByName(wireGuardLink)
		if err != nil {
			return err
		}
		via = lower.Attrs().Index
	}
	index := l.Attrs().Index
	var failed []error
	note := func(err error) {
		if err != nil && !errors.Is(err, unix.ENOENT) { // a removal of what is gone
			failed = append(failed, err)
		}
	}
	for _, m := range a.RemoveBridge {
		note(h.forward(unix.RTM_DELNEIGH, 0, index, netlink.NTF_MASTER, m))
	}
	for _, m := range a.RemoveForward {
		note(h.forward(unix.RTM_DELNEIGH, 0, index, netlink.NTF_SELF, m))
	}
	for _, address := range a.RemoveNeighbours {
		note(h.nl.NeighDel(neighbour(index, entry{Address: address})))
	}
	flags := uint8(netlink.NTF_SELF)
	if a.Bridged {
		flags |= netlink.NTF_MASTER // one message for both tables
	}
	for _, e := range a.Forward {
		attributes := []nl.NetlinkRequestData{nl.NewRtAttr(netlink.NDA_DST, e.Host.AsSlice())}
		if via != 0 {
			attributes = append(attributes, nl.NewRtAttr(netlink.NDA_IFINDEX, nl.Uint32Attr(uint32(via))))
		}
		note(h.forward(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, index, flags, e.MAC, attributes...))
	}
	for _, e := range a.Neighbours {
		note(h.nl.NeighSet(neighbour(index, e)))
	}
	const shown = 3 // of what may be thousands of the same
	return errors.Join(failed[:min(len(failed), shown)]...)
}

// forward changes one forwarding entry. Package netlink has no words for the
// interface that frames leave by.
func (h *host) forward(kind, flags, index int, table uint8, m mac, more ...nl.NetlinkRequestData) error {
	request := nl.NewNetlinkRequest(kind, flags|unix.NLM_F_ACK)
	request.Sockets = h.raw
	request.AddData(&netlink.Ndmsg{Family: unix.AF_BRIDGE, Index: uint32(index), State: static, Flags: table})
	request.AddData(nl.NewRtAttr(netlink.NDA_LLADDR, m[:]))
	for _, a := range more {
		request.AddData(a)
	}
	_, err := request.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

func neighbour(index int, e entry) *netlink.Neigh {
	n := &netlink.Neigh{LinkIndex: index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT, IP: e.Address.AsSlice()}
	if e.MAC != (mac{}) {
		n.HardwareAddr = e.MAC[:]
	}
	return n
}

// readTables fills in the tables of the tunnels, by their indexes. The kernel is
// asked once for all: it has no way to ask for one interface's.
func (h *host) readTables(tunnels map[int]tables) error {
	if len(tunnels) == 0 {
		return nil
	}
	forward, err := again(func() ([]netlink.Neigh, error) { return h.nl.NeighList(0, unix.AF_BRIDGE) })
	if err != nil {
		return err
	}
	for _, n := range forward {
		t, ours := tunnels[n.LinkIndex]
		if !ours || len(n.HardwareAddr) != len(mac{}) || n.State&netlink.NUD_NOARP == 0 && n.Flags&netlink.NTF_SELF == 0 {
			continue
		}
		switch m := mac(n.HardwareAddr); {
		case n.Flags&netlink.NTF_SELF != 0:
			t.Forward[m], _ = netip.AddrFromSlice(n.IP)
		case n.MasterIndex != 0:
			t.Bridge[m] = true
		}
	}
	neighbours, err := again(func() ([]netlink.Neigh, error) { return h.nl.NeighList(0, unix.AF_INET) })
	if err != nil {
		return err
	}
	for _, n := range neighbours {
		t, ours := tunnels[n.LinkIndex]
		if address, ok := netip.AddrFromSlice(n.IP); ours && ok && n.State&netlink.NUD_PERMANENT != 0 && len(n.HardwareAddr) == len(mac{}) {
			t.Neighbours[address] = mac(n.HardwareAddr)
		}
	}
	return nil
}

// again asks once more when tables changed while they were listed. An answer that
// stays incomplete is used: what is missing is set again, and does no harm.
func again[T any](list func() (T, error)) (T, error) {
	const tries = 3
	for try := 1; ; try++ {
		got, err := list()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return got, err
		}
		if try == tries {
			return got, nil
		}
	}
}
