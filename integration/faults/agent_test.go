//go:build linux

package faults

import (
	"testing"

	"github.com/musterhq/muster/integration/fleet/fleettest"
)

// TestAgentKilledAgainAndAgain kills one agent ten times in a row, as soon as it
// is up, under load: no container is restarted, and no request through the other
// hosts fails.
func TestAgentKilledAgainAndAgain(t *testing.T) {
	c := cluster(t)
	before := c.Lives(c.DeployWeb(6))
	victim := c.FindFollower()
	requests := c.Requests(c.Others(victim)...)
	for range 10 {
		c.Must(victim.KillAgent(t.Context()))
		c.Must(c.StartAgents(t.Context(), victim))
	}
	c.Must(c.AwaitReady(t.Context(), c.Hosts...))
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
	requests.NoneFailed()
	c.Settled(6, c.Hosts...)
	c.SameLives(before, c.Hosts...)
	for _, task := range c.Tasks(fleettest.Web) {
		if task.Restarts != 0 {
			t.Errorf("slot %d counts %d restarts", task.Slot, task.Restarts)
		}
	}
}
