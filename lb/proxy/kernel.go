package proxy

import (
	"net/netip"
	"slices"

	"github.com/musterhq/muster/lb"
)

// Kernel is what the kernel takes before it comes to this proxy: of connections to
// these ports, the share of this node's own tasks. What comes here is then the
// others'. Ports that the kernel serves all of are not among them.
type Kernel struct {
	Ports map[lb.Port]bool
	// Passing are the ranges of clients whose connections the kernel leaves to the
	// proxy: containers. This host's own are never among those that it takes.
	Passing []netip.Prefix
}

// SetKernel says what the kernel takes, from now on.
func (p *Proxy) SetKernel(k Kernel) { p.kernel.Store(&k) }

// took reports whether a connection is what the kernel left when it took its share.
func (k *Kernel) took(port lb.Port, client, called netip.Addr) bool {
	if !k.Ports[port] {
		return false
	}
	client = client.Unmap()
	// The kernel takes IPv4 from other hosts alone.
	if !client.Is4() || client.IsLoopback() || client == called.Unmap() {
		return false
	}
	return !slices.ContainsFunc(k.Passing, func(r netip.Prefix) bool { return r.Contains(client) })
}
