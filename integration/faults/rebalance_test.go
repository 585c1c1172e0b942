//go:build linux

package faults

import (
	"context"
	"fmt"
	"testing"

	"github.com/musterhq/muster/integration/fleet/fleettest"
)

// TestRebalance fills a host that was dead and is back, without a failed request
// through any host.
func TestRebalance(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(6)
	back := c.FindFollower()
	here := c.Others(back)[0]
	c.Must(back.Kill())
	c.AwaitState(back, "down")
	c.Settled(6, c.Others(back)...)
	c.Must(c.Return(t.Context(), back))
	c.AwaitState(back, "ready")
	c.Within(fleettest.Soon, "moves to be worth it", func(ctx context.Context) error {
		if r := here.CLI(ctx, "rebalance", "--plan"); r.ExitCode != 4 {
			return fmt.Errorf("exit code %d, %s%s", r.ExitCode, r.Stdout, r.Stderr)
		}
		return nil
	})
	c.Refused(here, 1, []string{"move 2 tasks", "-y"}, "rebalance", "--yes=false")

	requests := c.Requests(c.Hosts...)
	c.Run(here, "rebalance", "-y", "-m", "it is back")
	c.Settled(6, c.Hosts...)
	requests.NoneFailed()
	for _, h := range c.Hosts {
		if n := len(c.Containers(h)); n != 2 {
			t.Errorf("%d tasks on %s, want 2", n, h.Name)
		}
	}
	if r := here.CLI(t.Context(), "rebalance", "--plan"); r.ExitCode != 0 {
		t.Errorf("then again: exit code %d, %s", r.ExitCode, r.Stdout)
	}
}
