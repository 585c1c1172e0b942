//go:build linux

package faults

import (
	"testing"

	"github.com/musterhq/muster/integration/fleet/fleettest"
)

// TestAddressChanges boots a host with another address: it is the same node, and
// the cluster finds it there.
func TestAddressChanges(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(6)
	moved := c.FindFollower()
	old := moved.Addr
	c.Must(moved.Kill())
	c.AwaitState(moved, "down")
	c.Must(moved.Readdress(211))
	c.Must(c.Return(t.Context(), moved))
	c.Must(c.AwaitReady(t.Context(), c.Hosts...))
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
	c.Settled(6, c.Hosts...)
	for _, h := range c.Hosts {
		nodes := c.Nodes(h)
		if n := nodes[moved.Name]; len(nodes) != 3 || n.Address != moved.Addr {
			t.Errorf("%s sees %d nodes and %s at %s, it moved from %s to %s", h.Name, len(nodes), moved.Name, n.Address, old, moved.Addr)
		}
	}
	// It takes work at its new place, and the others reach it there.
	c.Run(c.Others(moved)[0], "scale", fleettest.Web+"=9")
	c.Settled(9, c.Hosts...)
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
	if len(c.Containers(moved)) == 0 {
		t.Errorf("%s got no task", moved.Name)
	}

	// Both followers are needed now: the log reaches the one that moved.
	other := c.Others(moved, c.FindLeader())[0]
	c.Must(other.Kill())
	c.Run(moved, "scale", fleettest.Web+"=4")
	c.Settled(4, c.Others(other)...)
}
