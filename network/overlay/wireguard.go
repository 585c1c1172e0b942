package overlay

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// wireGuard is one that runs: the kernel's or the one in this process.
type wireGuard interface {
	// read is what it was told; running is false when it has ended by itself.
	read() (port uint16, peers map[string]peer, running bool, err error)
	setPort(port uint16) error
	setPeers(change setPeers) error
	traffic() ([]traffic, error)
	// close ends it, if it is in this process. Its interface stays.
	close()
}

// traffic is what went to and from the peer with that key since it was set.
type traffic struct {
	Key            string
	Sent, Received uint64
	Handshake      time.Time // zero: never
}

var errNoWireGuard = errors.New("WireGuard does not run")

func (h *host) withWireGuard(do func(wireGuard) error) error {
	if h.wg == nil {
		return errNoWireGuard
	}
	return do(h.wg)
}

func (h *host) stopWireGuard() {
	if h.wg != nil {
		h.wg.close()
		h.wg = nil
	}
}

func (h *host) readWireGuard() (wireGuardState, error) {
	if h.wg == nil {
		return wireGuardState{Public: h.key.Public()}, nil
	}
	port, peers, running, err := h.wg.read()
	return wireGuardState{Running: running, Index: h.made, Public: h.key.Public(), Port: port, Peers: peers}, err
}

// startWireGuard takes charge of muster0, which a process before this one may have
// made; else the kernel's WireGuard is tried first.
func (h *host) startWireGuard(a startWireGuard) error {
	h.stopWireGuard()
	l, err := h.nl.LinkByName(wireGuardLink)
	if missing := (netlink.LinkNotFoundError{}); errors.As(err, &missing) {
		h.closeTUN() // of an interface that is no more
		l, err = h.makeLink(a.MTU)
	}
	if err != nil {
		return err
	}
	h.made = l.Attrs().Index
	if l.Type() == kindWireGuard {
		h.closeTUN()
		return h.use(newKernelWireGuard(h.key, a.Port))
	}
	if h.tun == nil || !isTUN(h.tun) {
		h.closeTUN()
		if h.tun, err = openTUN(); err != nil {
			return err
		}
	}
	if err := h.nl.LinkSetMTU(l, a.MTU); err != nil { // WireGuard reads it once
		return err
	}
	return h.use(newUserspaceWireGuard(h.tun, h.key, a.Port, h.log))
}

func (h *host) use(w wireGuard, err error) error {
	if err == nil {
		h.wg = w
	}
	return err
}

// makeLink makes an interface of the kernel's WireGuard, or, where this kernel has
// none, a TUN device.
func (h *host) makeLink(mtu int) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = wireGuardLink, mtu
	err := h.nl.LinkAdd(&netlink.Wireguard{LinkAttrs: attrs})
	if errors.Is(err, unix.EOPNOTSUPP) {
		h.tun, err = openTUN()
	}
	if err != nil {
		return nil, err
	}
	return h.nl.LinkByName(wireGuardLink)
}

// explain says what to do about it.
func explain(err error) error {
	hints := map[error]string{
		unix.EADDRINUSE: "another process has the UDP port: end it (ss -lunp shows it)",
		unix.EPERM:      "Muster needs CAP_NET_ADMIN for it: run it as root",
		unix.EBUSY:      "another process runs " + wireGuardLink + ": is there a second Muster on this host?",
		unix.ENOENT:     "this kernel has neither WireGuard nor TUN devices: load one (modprobe wireguard, or modprobe tun)",
	}
	for cause, hint := range hints {
		if errors.Is(err, cause) {
			return fmt.Errorf("%w; %s", err, hint)
		}
	}
	return err
}
