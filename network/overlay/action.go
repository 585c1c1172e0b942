package overlay

import (
	"fmt"
	"net/netip"
)

// action is one change of the kernel's state. Its words complete "cannot ...".
type action interface {
	String() string
	// on is the interface that is changed: where one action fails, those that
	// follow on the same interface are left out.
	on() string
}

type (
	removeLink struct{ Name, Why string }

	startWireGuard struct {
		MTU  int
		Port uint16
	}
	setPort  struct{ Port uint16 }
	setPeers struct {
		Set    []peer
		Remove []string // keys; they are removed first
	}

	setMTU struct {
		Name string
		MTU  int
	}
	setUp         struct{ Name string }
	addAddress    struct{ Prefix netip.Prefix } // to muster0
	removeAddress struct{ Prefix netip.Prefix } // from muster0

	addTunnel struct {
		Name  string
		VXLAN vxlan // Lower is not known yet
		Lower bool  // it is on muster0
		MTU   int
	}
	attach struct{ Name, Bridge string }
	quiet  struct{ Name string }

	setEntries struct {
		Name string
		// Via: frames leave by muster0 only.
		Via        bool
		Forward    []entry // to the tunnel's table, and to its bridge's
		Bridged    bool
		Neighbours []entry

		RemoveForward    []mac
		RemoveBridge     []mac
		RemoveNeighbours []netip.Addr
	}
	noRedirects struct{ Bridge string }
)

// entry is a container on another host.
type entry struct {
	Address netip.Addr
	MAC     mac
	Host    netip.Addr
}

func (a removeLink) String() string {
	return fmt.Sprintf("remove the interface %s (%s)", a.Name, a.Why)
}

func (a startWireGuard) String() string {
	return fmt.Sprintf("start WireGuard on UDP port %d", a.Port)
}
func (a setPort) String() string { return fmt.Sprintf("move WireGuard to UDP port %d", a.Port) }
func (a setPeers) String() string {
	return fmt.Sprintf("set %d WireGuard peers and remove %d", len(a.Set), len(a.Remove))
}
func (a setMTU) String() string { return fmt.Sprintf("set the MTU of %s to %d", a.Name, a.MTU) }
func (a setUp) String() string  { return "bring up " + a.Name }
func (a addAddress) String() string {
	return fmt.Sprintf("give %s the address %s", wireGuardLink, a.Prefix)
}

func (a removeAddress) String() string {
	return fmt.Sprintf("take the address %s from %s", a.Prefix, wireGuardLink)
}
func (a addTunnel) String() string { return "make the VXLAN interface " + a.Name }
func (a attach) String() string    { return fmt.Sprintf("attach %s to the bridge %s", a.Name, a.Bridge) }
func (a quiet) String() string     { return "stop learning and flooding on " + a.Name }
func (a setEntries) String() string {
	return fmt.Sprintf("set where %d containers on other hosts are, and forget %d, on %s",
		max(len(a.Forward), len(a.Neighbours)), max(len(a.RemoveForward), len(a.RemoveBridge), len(a.RemoveNeighbours)), a.Name)
}
func (a noRedirects) String() string { return "stop ICMP redirects on " + a.Bridge }

func (a removeLink) on() string   { return a.Name }
func (startWireGuard) on() string { return wireGuardLink }
func (setPort) on() string        { return wireGuardLink }
func (setPeers) on() string       { return wireGuardLink }
func (a setMTU) on() string       { return a.Name }
func (a setUp) on() string        { return a.Name }
func (addAddress) on() string     { return wireGuardLink }
func (removeAddress) on() string  { return wireGuardLink }
func (a addTunnel) on() string    { return a.Name }
func (a attach) on() string       { return a.Name }
func (a quiet) on() string        { return a.Name }
func (a setEntries) on() string   { return a.Name }
func (a noRedirects) on() string  { return a.Bridge }
