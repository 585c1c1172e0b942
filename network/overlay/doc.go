// Package overlay has this host's interfaces be as a network.Overlay says: WireGuard
// between hosts (the kernel's, or a userspace one on a TUN device), and a VXLAN
// port on the bridge of every network. It owns "muster0" and every VXLAN interface
// that is named "mx" and a number, and may not know what they are for.
//
// plan says what is to be done, from what is wanted and what the kernel has; it is
// pure. host reads the one and does the other. Device goes round: after every Set,
// when an interface changes, and every few seconds, until nothing is left to do.
//
// Nothing is ever silently plain: with encryption every forwarding entry names
// muster0 as the interface that its frames leave by. Without that interface they
// are dropped, and never follow the default route.
//
// Start with Device, then plan.
package overlay
