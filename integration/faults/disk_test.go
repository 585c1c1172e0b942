//go:build linux

package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

func TestFollowersDiskIsFull(t *testing.T) {
	c := cluster(t)
	diskIsFull(c, c.FindFollower())
}

func TestLeadersDiskIsFull(t *testing.T) {
	c := cluster(t)
	diskIsFull(c, c.FindLeader())
}

// diskIsFull leaves no room for an agent's data, nor that which the agent kept
// back, and writes until its log does not take any more. Its vote rests,
// everything else goes on: writes through any host, containers, answers, and the
// agent itself. With room it votes again.
func diskIsFull(c *fleettest.Cluster, sick *lab.Host) {
	t := c.T
	before := c.Lives(c.DeployWeb(6))
	pid := sick.AgentPID()
	requests := c.Requests(c.Hosts...)
	c.Must(sick.FillDisk())
	c.AwaitProblem(fleettest.Soon, c.Others(sick)[0], "node "+sick.Name, "disk")
	awaitBallastSpent(c, sick)
	c.Must(sick.FillDisk())
	acknowledged := fillLog(c, sick)
	c.Within(fleettest.Soon, "a leader that can write", func(ctx context.Context) error {
		leader, err := c.Leader(ctx)
		if err == nil && leader == sick {
			err = fmt.Errorf("%s leads", sick.Name)
		}
		return err
	})
	for _, h := range c.Hosts {
		c.AwaitProblem(fleettest.Soon, h, "node "+sick.Name, "vote rests until")
		acknowledged = bulky(c, h, acknowledged)
	}
	requests.NoneFailed()
	c.SameLives(before, c.Hosts...)
	if now := sick.AgentPID(); now != pid {
		t.Errorf("the agent was process %d and is %d", pid, now)
	}

	// An agent that starts without room goes on as one that ran out of it.
	c.Must(sick.StopAgent(t.Context()))
	c.Must(c.StartAgents(t.Context(), sick))
	c.AwaitProblem(fleettest.Soon, sick, "node "+sick.Name, "vote rests until")
	acknowledged = bulky(c, sick, acknowledged)

	c.Must(sick.FreeDisk())
	c.AwaitHealthy(c.Hosts[0])
	c.Must(c.AwaitReady(t.Context(), c.Hosts...))
	c.Settled(6, c.Hosts...)
	c.SameLives(before, c.Hosts...)
	var stacks []api.Service
	c.Must(json.Unmarshal([]byte(c.Run(sick, "ls", "-o", "json")), &stacks))
	for _, s := range stacks {
		if s.Stack == "bulky" && s.Generation < acknowledged {
			t.Errorf("%s is at generation %d, %d was acknowledged", s.Service, s.Generation, acknowledged)
		}
	}
	if log := sick.LogTail("agent", 64<<10); !strings.Contains(log, "the disk is full") {
		t.Error("the agent's log does not say that the disk is full")
	}
}

// awaitBallastSpent waits until the host's agent has given up what it kept back.
func awaitBallastSpent(c *fleettest.Cluster, sick *lab.Host) {
	c.T.Helper()
	c.Within(fleettest.Soon, "the ballast to be given up", func(context.Context) error {
		_, err := os.Stat(filepath.Join(sick.DataDir, "ballast"))
		switch {
		case errors.Is(err, os.ErrNotExist):
			return nil
		case err == nil:
			err = errors.New("it is there")
		}
		return err
	})
}

// fillLog writes through the other hosts until the vote of the sick one rests,
// and returns the last generation that was acknowledged.
func fillLog(c *fleettest.Cluster, sick *lab.Host) (acknowledged uint64) {
	c.T.Helper()
	others := c.Others(sick)
	for i := range uint64(60) {
		acknowledged = bulky(c, others[i%2], acknowledged)
		s, err := fleet.Status(c.T.Context(), others[0])
		c.Must(err)
		if strings.Contains(strings.Join(s.Problems, "\n"), "vote rests until") {
			return acknowledged
		}
	}
	c.T.Fatalf("%s still finds room for its log", sick.Name)
	return 0
}

// bulky commits the next generation of a service without tasks and with much to
// remember. A leader that fails under it is waited for.
func bulky(c *fleettest.Cluster, h *lab.Host, last uint64) uint64 {
	c.T.Helper()
	next := last + 1
	path := c.File("bulky.yaml", fmt.Sprintf(`name: bulky
services:
  none:
    image: muster-hello:1
    environment: {N: "%d", LONG: "%s"}
    deploy: {replicas: 0}
`, next, strings.Repeat("x", 100<<10)))
	c.Within(20*time.Second, "a write through "+h.Name, func(ctx context.Context) error {
		_, err := fleet.Run(ctx, h, "deploy", "-d", "-f", path)
		return err
	})
	return next
}

// TestAgentOnAFullDisk starts the first agent of a host that has no room for it.
func TestAgentOnAFullDisk(t *testing.T) {
	c := cluster(t)
	h := extraHost(c)
	c.Must(h.FillDisk())
	err := c.StartAgents(t.Context(), h)
	if err == nil || !strings.Contains(err.Error(), "no space left") || !strings.Contains(err.Error(), h.DataDir) {
		t.Errorf("it says: %v", err)
	}
	c.Must(h.FreeDisk())
	c.Must(c.StartAgents(t.Context(), h))
}

// extraHost is a host beside the cluster, for one test.
func extraHost(c *fleettest.Cluster) *lab.Host {
	c.T.Helper()
	hosts, err := c.Lab.StartHosts(c.T.Context(), 1)
	c.Must(err)
	c.T.Cleanup(func() { _ = hosts[0].Kill() })
	return hosts[0]
}
