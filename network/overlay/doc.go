// Package overlay has this host's interfaces be as a network.Overlay says: WireGuard
// between hosts (the kernel's, or a userspace one on a TUN device), and a VXLAN
// port on the bridge of every network. It owns every interface whose name begins
// with "mx" or is "muster0", and may not know what they are for.
package overlay
