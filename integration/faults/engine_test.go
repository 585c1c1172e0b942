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
	"github.com/musterhq/muster/integration/lab"
)

// troubleIn is how soon a node whose engine does not answer says so.
const troubleIn = 12 * time.Second

// TestEngineHangs stops an engine from answering. The node says so and takes no
// new tasks; its containers run on and answer through every host, its agent
// stays in touch; when the engine goes on, so does the node.
func TestEngineHangs(t *testing.T) {
	c := cluster(t)
	before := c.Lives(c.DeployWeb(6))
	sick := c.FindFollower()
	requests := c.Requests(c.Hosts...)
	c.Must(sick.PauseDocker())
	engineTrouble(c, sick)

	c.Run(c.Others(sick)[0], "deploy", "-f", c.File("other.yaml", other))
	elsewhere(c, sick)
	for name, n := range c.Nodes(c.FindLeader()) {
		if n.State != "ready" {
			t.Errorf("%s is %s: an engine that hangs is not a node that is gone", name, n.State)
		}
	}
	if tasks := c.Tasks(fleettest.Web); fleettest.Count(tasks, "running") != 6 || len(tasks) != 6 {
		t.Errorf("an engine that hangs loses tasks: %s", fleettest.States(tasks))
	}

	c.Must(sick.ContinueDocker())
	engineWell(c, sick)
	requests.NoneFailed()
	c.SameLives(before, c.Hosts...)
	c.Run(c.Hosts[0], "scale", "other/app=6")
	c.Within(fleettest.Soon, "a task on the host again", func(ctx context.Context) error {
		running, err := fleet.Containers(ctx, "other/app", sick)
		if err == nil && len(running) == 0 {
			err = fmt.Errorf("none of other/app runs there")
		}
		return err
	})
}

// TestEngineKilled ends an engine by SIGKILL: its containers answer on, nothing
// moves, and when it is back each slot has its container again.
func TestEngineKilled(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(6)
	sick := c.FindFollower()
	untouched := c.Containers(c.Others(sick)...)
	before := c.Lives(untouched)
	requests := c.Requests(c.Hosts...)
	c.Must(sick.KillDocker(t.Context()))
	engineTrouble(c, sick)
	if n := len(c.Containers(c.Others(sick)...)); n != len(untouched) {
		t.Errorf("%d containers run on the other hosts, %d before: healthy ones were moved", n, len(untouched))
	}
	requests.NoneFailed()

	c.Must(sick.StartDocker(t.Context()))
	engineWell(c, sick)
	c.Settled(6, c.Hosts...)
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
	c.SameLives(before, c.Others(sick)...)
}

// TestEngineStopped stops an engine in order, its containers with it. The others
// answer for them, and they are started again when it is back.
func TestEngineStopped(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(6)
	sick := c.FindLeader()
	here := len(c.Containers(sick))
	c.Must(sick.StopDocker(t.Context()))
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
	requests := c.Requests(c.Hosts...)
	engineTrouble(c, sick)
	requests.NoneFailed()

	c.Must(sick.StartDocker(t.Context()))
	engineWell(c, sick)
	c.Settled(6, c.Hosts...)
	if n := len(c.Containers(sick)); n != here {
		t.Errorf("%d containers run on %s, %d before", n, sick.Name, here)
	}
	c.AwaitHealthy(c.Hosts[0])
}

// other is a stack that a sick host must not get.
const other = `name: other
services:
  app:
    image: muster-hello:1
    stop_grace_period: 1s
    deploy:
      replicas: 3
`

func elsewhere(c *fleettest.Cluster, sick *lab.Host) {
	c.T.Helper()
	for _, task := range c.Tasks("other/app") {
		if task.Node == sick.Name || task.State != "running" {
			c.T.Errorf("slot %d is %s on %q", task.Slot, task.State, task.Node)
		}
	}
}

func engineTrouble(c *fleettest.Cluster, sick *lab.Host) {
	c.T.Helper()
	begun := time.Now()
	for _, h := range c.Hosts {
		c.AwaitProblem(troubleIn, h, "node "+sick.Name, "engine does not answer")
	}
	c.T.Logf("engine trouble shown after %.1f s", time.Since(begun).Seconds())
	if out := c.Run(c.Hosts[0], "node", "inspect", sick.Name); !strings.Contains(out, "Engine error") {
		c.T.Errorf("node inspect does not tell of the engine:\n%s", out)
	}
}

func engineWell(c *fleettest.Cluster, h *lab.Host) {
	c.T.Helper()
	begun := time.Now()
	c.Within(troubleIn, "the engine's recovery to be told", func(ctx context.Context) error {
		s, err := fleet.Status(ctx, c.Hosts[0])
		if err == nil && strings.Contains(strings.Join(s.Problems, "\n"), "engine") {
			err = fmt.Errorf("problems: %q", s.Problems)
		}
		return err
	})
	c.T.Logf("%s: recovery shown after %.1f s", h.Name, time.Since(begun).Seconds())
}
