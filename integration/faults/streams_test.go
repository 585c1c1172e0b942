//go:build linux

package faults

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
)

// TestLogsDuringARestart follows the logs of all nodes while every task is
// replaced: the last words of the old ones and the first of the new are there.
func TestLogsDuringARestart(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(3)
	logs := begin(c, c.Hosts[1], "logs -f "+fleettest.Web)
	requests := c.Requests(c.Hosts...)
	c.Run(c.Hosts[0], "restart", fleettest.Web)
	requests.NoneFailed()
	c.Settled(3, c.Hosts...)
	for _, task := range c.Tasks(fleettest.Web) {
		if task.Generation == 1 {
			t.Errorf("slot %d was not replaced", task.Slot)
		}
	}
	bothLives(c, logs)
}

// bothLives waits until the logs have, for the only task of each host, the first
// lines of its old and of its new container and the last of the old one, once.
func bothLives(c *fleettest.Cluster, logs background) {
	c.T.Helper()
	c.Within(fleettest.Soon, "the lines of all tasks", func(context.Context) error {
		said := logs.printed()
		for _, h := range c.Hosts {
			if n := countLines(said, "."+h.Name+" ", "listens on port 80"); n != 2 {
				return fmt.Errorf("%d first lines of %s, want 2:\n%s", n, h.Name, said)
			}
			if n := countLines(said, "."+h.Name+" ", "asked to end"); n != 1 {
				return fmt.Errorf("%d last lines of %s, want 1:\n%s", n, h.Name, said)
			}
		}
		return nil
	})
}

// TestLogsAcrossALeaderChange follows logs through a follower while the leader's
// agent dies and comes back, and all tasks are replaced: none is left out.
func TestLogsAcrossALeaderChange(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(3)
	leader := c.FindLeader()
	here := c.Others(leader)[0]
	logs := begin(c, here, "logs -f "+fleettest.Web)
	c.Must(leader.KillAgent(t.Context()))
	c.AwaitState(leader, "away")
	c.Must(c.StartAgents(t.Context(), leader))
	c.Must(c.AwaitReady(t.Context(), c.Hosts...))
	c.Run(here, "restart", fleettest.Web)
	bothLives(c, logs)
}

func countLines(text string, words ...string) int {
	n := 0
next:
	for line := range strings.Lines(text) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue next
			}
		}
		n++
	}
	return n
}

// TestEventsAcrossALeaderChange follows events through a follower while the
// leader's agent dies: what happens after that is shown, and nothing twice.
func TestEventsAcrossALeaderChange(t *testing.T) {
	c := cluster(t)
	leader := c.FindLeader()
	here := c.Others(leader)[0]
	there := c.Others(leader, here)[0]
	events := begin(c, here, "events -f --since "+time.Now().Format(time.RFC3339Nano))
	shows := func(word string) func(context.Context) error {
		return func(context.Context) error {
			if text := events.printed(); countLines(text, word) != 1 {
				return fmt.Errorf("%q is not there once:\n%s", word, text)
			}
			return nil
		}
	}
	c.Run(here, "node", "cordon", there.Name)
	c.Within(fleettest.Soon, "an event", shows(there.Name+" cordoned"))
	c.Must(leader.KillAgent(t.Context()))
	c.Within(fleettest.Soon, "a new leader", func(ctx context.Context) error {
		s, err := fleet.Status(ctx, here)
		if err == nil && (s.Stale || s.Leader == leader.Name) {
			err = fmt.Errorf("leader %q, stale %v", s.Leader, s.Stale)
		}
		return err
	})
	c.Run(here, "node", "uncordon", there.Name)
	c.Within(fleettest.Soon, "an event under the new leader", shows(there.Name+" active"))
	t.Logf("events:\n%s", events.printed())
}
