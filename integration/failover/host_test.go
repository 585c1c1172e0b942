//go:build linux

package failover

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

func TestFollowersHostDies(t *testing.T) {
	c := cluster(t)
	victim, err := c.Follower(t.Context())
	c.Must(err)
	hostDies(c, victim, victim.Kill)
}

// TestAllProcessesDie ends everything on a host but its kernel, which refuses
// connections: that the agent's port is refused proves no container alive.
func TestAllProcessesDie(t *testing.T) {
	c := cluster(t)
	victim, err := c.Leader(t.Context())
	c.Must(err)
	hostDies(c, victim, victim.KillProcesses)
}

func TestLeadersHostDies(t *testing.T) {
	c := cluster(t)
	victim, err := c.Leader(t.Context())
	c.Must(err)
	hostDies(c, victim, victim.Kill)
}

// hostDies kills a host: its tasks run elsewhere, what ran elsewhere is left
// alone, and nobody counts the dead as running. When the host is back there is
// one container for each slot, and not one more.
func hostDies(c *fleettest.Cluster, victim *lab.Host, kill func() error) {
	c.T.Helper()
	const tasks = 9
	c.DeployWeb(tasks)
	survivors := c.Others(victim)
	untouched, err := fleet.Containers(c.T.Context(), fleettest.Web, survivors...)
	c.Must(err)
	before := c.Lives(untouched)
	if len(before) == tasks {
		c.T.Fatalf("%s runs nothing: its death shows nothing", victim.Name)
	}

	died := time.Now()
	c.Must(kill())
	all := c.AwaitRunning(tasks, survivors...)
	c.T.Logf("all run again %.1f s after the death of %s", time.Since(died).Seconds(), victim.Name)
	c.Must(c.AwaitAnswers(c.T.Context(), fleettest.Port, survivors...))
	c.AwaitState(victim, "down")
	now := c.Lives(all)
	for name, started := range before {
		if !now[name].Equal(started) {
			c.T.Errorf("%s was healthy and did not live on", name)
		}
	}

	c.Must(c.Return(c.T.Context(), victim))
	c.Must(c.AwaitReady(c.T.Context(), c.Hosts...))
	c.Settled(tasks, c.Hosts...)
	c.Must(c.AwaitAnswers(c.T.Context(), fleettest.Port, c.Hosts...))
}

// TestHostIsCutOff cuts a host's link: its containers are replaced, and end when
// it hears of that.
func TestHostIsCutOff(t *testing.T) {
	c := cluster(t)
	const tasks = 6
	c.DeployWeb(tasks)
	victim, err := c.Follower(t.Context())
	c.Must(err)
	c.Must(victim.Cut())
	survivors := c.Others(victim)
	c.AwaitRunning(tasks, survivors...)
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, survivors...))
	c.Must(victim.Heal(t.Context()))
	c.Must(c.AwaitReady(t.Context(), c.Hosts...))
	c.Settled(tasks, c.Hosts...)
}

// TestAllAgentsDie ends all agents at once: no container notices, and no request
// fails.
func TestAllAgentsDie(t *testing.T) {
	c := cluster(t)
	before := c.Lives(c.DeployWeb(6))
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
	asked := c.Requests(c.Hosts...)
	for _, h := range c.Hosts {
		c.Must(h.KillAgent(t.Context()))
	}
	c.SameLives(before, c.Hosts...)
	c.Must(c.StartAgents(t.Context(), c.Hosts...))
	c.Must(c.AwaitReady(t.Context(), c.Hosts...))
	asked.NoneFailed()
	c.Settled(6, c.Hosts...)
	c.SameLives(before, c.Hosts...)
}

// TestAllHostsDie cuts the power of everything: all comes back as it was.
func TestAllHostsDie(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(6)
	each(c, c.Hosts, func(_ context.Context, h *lab.Host) error { return h.Kill() })
	each(c, c.Hosts, c.Return)
	c.Must(c.AwaitReady(t.Context(), c.Hosts...))
	c.Settled(6, c.Hosts...)
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
}

// each does something to all hosts at the same time.
func each(c *fleettest.Cluster, hosts []*lab.Host, do func(context.Context, *lab.Host) error) {
	c.T.Helper()
	g, ctx := errgroup.WithContext(c.T.Context())
	for _, h := range hosts {
		g.Go(func() error { return do(ctx, h) })
	}
	c.Must(g.Wait())
}

// TestNoQuorum cuts two of three hosts off. The third one tells what it knows,
// says that it may be old, refuses changes with the reason, and its containers
// run on.
func TestNoQuorum(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(6)
	leader, err := c.Leader(t.Context())
	c.Must(err)
	cut := c.Others(leader)
	here, err := fleet.Containers(t.Context(), fleettest.Web, leader)
	c.Must(err)
	before := c.Lives(here)
	for _, h := range cut {
		c.Must(h.Cut())
	}

	c.Within(fleettest.Soon, "a stale answer", func(ctx context.Context) error {
		s, err := fleet.Status(ctx, leader)
		switch {
		case err != nil:
			return err
		case !s.Stale || s.Healthy || len(s.Problems) == 0:
			return fmt.Errorf("stale %v, healthy %v, problems %q", s.Stale, s.Healthy, s.Problems)
		case s.Tasks != 6 || s.Nodes != 3:
			return fmt.Errorf("%d tasks on %d nodes", s.Tasks, s.Nodes)
		}
		return nil
	})
	nodes, err := fleet.Nodes(t.Context(), leader)
	c.Must(err)
	for name, n := range nodes {
		if n.CPUUsed != nil || n.MemoryUsed != nil {
			t.Errorf("%s shows measured use without a leader", name)
		}
	}
	c.Refused(leader, 1, []string{"majority"}, "scale", fleettest.Web+"=7")
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, leader))
	c.SameLives(before, leader)

	for _, h := range cut {
		c.Must(h.Heal(t.Context()))
	}
	c.Must(c.AwaitReady(t.Context(), c.Hosts...))
	c.Settled(6, c.Hosts...)
	c.SameLives(before, leader)
}

// TestAgentDies kills agents alone: no container moves or restarts, requests to
// all hosts are answered all the time, and the next agent adopts.
func TestAgentDies(t *testing.T) {
	c := cluster(t)
	before := c.Lives(c.DeployWeb(6))
	for _, who := range []struct {
		name   string
		choose func(context.Context) (*lab.Host, error)
	}{
		{"of a follower", c.Follower},
		{"of the leader", c.Leader},
	} {
		t.Run(who.name, func(t *testing.T) {
			c := &fleettest.Cluster{Fleet: c.Fleet, T: t}
			victim, err := who.choose(t.Context())
			c.Must(err)
			c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
			asked := c.Requests(c.Hosts...)
			c.Must(victim.KillAgent(t.Context()))
			c.AwaitState(victim, "away")
			// The time in which the death of a host would have been acted on.
			c.Hold(5*time.Second, func(ctx context.Context) error {
				running, err := fleet.Containers(ctx, fleettest.Web, c.Hosts...)
				if err == nil && len(running) != len(before) {
					err = fmt.Errorf("%d containers run", len(running))
				}
				return err
			})
			c.SameLives(before, c.Hosts...)

			c.Must(c.StartAgents(t.Context(), victim))
			c.Must(c.AwaitReady(t.Context(), c.Hosts...))
			asked.NoneFailed()
			c.Settled(6, c.Hosts...)
			c.SameLives(before, c.Hosts...)
		})
	}
}
