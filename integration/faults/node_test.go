//go:build linux

package faults

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// TestDrainCordonUncordon empties a host without a failed request through any
// host, that one too, and fills it no more until it may be.
func TestDrainCordonUncordon(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(6)
	quiet := c.FindLeader()
	requests := c.Requests(c.Hosts...)
	c.Run(quiet, "node", "drain", "-y", quiet.Name)
	c.AwaitRunning(0, quiet)
	c.Settled(6, c.Others(quiet)...)
	requests.NoneFailed()

	c.Run(quiet, "node", "cordon", quiet.Name)
	c.Run(quiet, "scale", fleettest.Web+"=9")
	c.AwaitRunning(0, quiet)
	c.Run(quiet, "node", "uncordon", quiet.Name)
	c.Run(quiet, "scale", fleettest.Web+"=12")
	c.Settled(12, c.Hosts...)
	if len(c.Containers(quiet)) == 0 {
		t.Errorf("%s got no task after it was uncordoned", quiet.Name)
	}

	// A node that is only cordoned keeps what it has.
	before := c.Lives(c.Containers(c.Hosts...))
	c.Run(quiet, "node", "cordon", quiet.Name)
	c.SameLives(before, c.Hosts...)
}

// TestRemoveDownNode removes a node that is down, refuses one that is not, and
// takes the host back when it has returned.
func TestRemoveDownNode(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(6)
	gone := c.FindFollower()
	here := c.Others(gone)[0]
	c.Refused(here, 1, []string{gone.Name, "is ready", "muster leave", "--force"}, "node", "rm", "-y", gone.Name)
	c.Must(gone.Kill())
	c.AwaitState(gone, "down")
	c.Run(here, "node", "rm", "-y", gone.Name)
	if nodes := c.Nodes(here); len(nodes) != 2 {
		t.Errorf("%d nodes after one of 3 was removed", len(nodes))
	}
	c.Settled(6, c.Others(gone)...)

	c.Must(c.Return(t.Context(), gone))
	idle(c, gone)
	rejoin(c, gone)
}

// TestRemoveLiveNode cuts a host that is up out of the cluster: it stops its
// containers and is idle, and may join again.
func TestRemoveLiveNode(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(6)
	gone := c.FindFollower()
	here := c.Others(gone)[0]
	c.Run(here, "node", "rm", "-y", "--force", gone.Name)
	c.Settled(6, c.Others(gone)...)
	idle(c, gone)
	rejoin(c, gone)
}

func TestFollowerLeaves(t *testing.T) {
	c := cluster(t)
	leaves(c, c.FindFollower())
}

func TestLeaderLeaves(t *testing.T) {
	c := cluster(t)
	leaves(c, c.FindLeader())
}

// leaves takes a host out of the cluster without a failed request through the
// others, and back in.
func leaves(c *fleettest.Cluster, h *lab.Host) {
	c.DeployWeb(6)
	requests := c.Requests(c.Others(h)...)
	c.Run(h, "leave", "-y")
	c.Settled(6, c.Others(h)...)
	requests.NoneFailed()
	if nodes := c.Nodes(c.Others(h)[0]); len(nodes) != 2 {
		c.T.Errorf("%d nodes after one of 3 left", len(nodes))
	}
	idle(c, h)
	rejoin(c, h)
}

// idle waits until a host runs nothing of the cluster and is in none.
func idle(c *fleettest.Cluster, h *lab.Host) {
	c.T.Helper()
	c.Within(fleettest.Soon, h.Name+" to be idle", func(ctx context.Context) error {
		left, err := fleet.Containers(ctx, "", h)
		if err != nil || len(left) > 0 {
			return fmt.Errorf("%d containers run, %w", len(left), err)
		}
		if r := h.CLI(ctx, "status"); r.ExitCode != 1 || !strings.Contains(r.Stderr, "muster join") {
			return fmt.Errorf("status: exit code %d, %s%s", r.ExitCode, r.Stdout, r.Stderr)
		}
		return nil
	})
	if h.AgentPID() == 0 {
		c.T.Errorf("the agent of %s has ended", h.Name)
	}
}

// rejoin takes an idle host in again, as a node that works and votes.
func rejoin(c *fleettest.Cluster, h *lab.Host) {
	c.T.Helper()
	door := c.Others(h)[0]
	token := strings.TrimSpace(c.Run(door, "token", "create", "-q"))
	c.Run(h, "join", door.Addr, "--token", token)
	c.Must(c.AwaitReady(c.T.Context(), c.Hosts...))
	c.Must(c.AwaitAnswers(c.T.Context(), fleettest.Port, c.Hosts...))
	c.Run(h, "scale", fleettest.Web+"=9")
	c.Settled(9, c.Hosts...)
	if len(c.Containers(h)) == 0 {
		c.T.Errorf("%s got no task after it joined again", h.Name)
	}
}
