//go:build linux

package rollouts

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet/fleettest"
)

// TestSimulationComesTrue asks what would follow of the death of a host, and then
// kills it: the tasks that move are those that were told, and the hosts that are
// left have as many tasks as was told. No other question changes anything.
func TestSimulationComesTrue(t *testing.T) {
	c := cluster(t)
	const tasks = 6
	before := c.Lives(c.DeployWeb(tasks))
	victim := c.FindFollower()
	here := c.Others(victim)[0]

	drain := see[api.Simulation](c, here, "simulate", "--drain", victim.Name)
	if diff := cmp.Diff(slotsOn(c, victim.Name), moves(drain, victim.Name)); diff != "" {
		t.Errorf("a drain of %s would move (-its slots +told):\n%s", victim.Name, diff)
	}
	add := see[api.Simulation](c, here, "simulate", "--add", "4x16G=2")
	if len(add.Nodes) != len(c.Hosts)+2 || len(add.Changes) > 0 || add.Survival.Hosts < 2 {
		t.Errorf("with two hosts more: %d nodes, %d changes, survival %+v", len(add.Nodes), len(add.Changes), add.Survival)
	}
	deploy := see[api.Simulation](c, here, "simulate", "--deploy", c.File("compose.yaml", oneCPU("beside", 4, 50)))
	if n := countKind(deploy, api.SlotStarts); n != 4 || len(deploy.Changes) != 4 || len(deploy.Pending) > 0 {
		t.Errorf("a deploy of 4 tasks: %+v, pending %+v", deploy.Changes, deploy.Pending)
	}
	c.Refused(here, 0, []string{"no place for beside/it", "short"}, "simulate", "--deploy", c.File("compose.yaml", oneCPU("beside", 7, 50)))
	kill := see[api.Simulation](c, here, "simulate", "--kill", victim.Name)
	c.SameLives(before, c.Hosts...)

	told := moves(kill, victim.Name)
	if diff := cmp.Diff(slotsOn(c, victim.Name), told); diff != "" {
		t.Errorf("the death of %s would move (-its slots +told):\n%s", victim.Name, diff)
	}
	where := nodeOf(c)
	c.Must(victim.Kill())
	c.Settled(tasks, c.Others(victim)...)
	moved := map[int]bool{}
	for slot, node := range nodeOf(c) {
		if where[slot] != node {
			moved[slot] = true
		}
	}
	if diff := cmp.Diff(told, moved); diff != "" {
		t.Errorf("moved by the death of %s (-told +seen):\n%s", victim.Name, diff)
	}
	for _, load := range kill.Nodes {
		if got := len(slotsOn(c, load.Name)); got != load.Tasks {
			t.Errorf("%s has %d tasks, %d were told", load.Name, got, load.Tasks)
		}
	}
}

// moves are the slots that would move from the node.
func moves(s api.Simulation, from string) map[int]bool {
	out := map[int]bool{}
	for _, change := range s.Changes {
		if change.Kind == api.SlotMoves && change.From == from {
			out[change.Slot] = true
		}
	}
	return out
}

func countKind(s api.Simulation, kind string) int {
	n := 0
	for _, change := range s.Changes {
		if change.Kind == kind {
			n++
		}
	}
	return n
}

// nodeOf is the node of each slot of the example service.
func nodeOf(c *fleettest.Cluster) map[int]string {
	c.T.Helper()
	out := map[int]string{}
	for _, task := range c.Tasks(fleettest.Web) {
		out[task.Slot] = task.Node
	}
	return out
}

// slotsOn are the slots whose tasks are on the node.
func slotsOn(c *fleettest.Cluster, node string) map[int]bool {
	c.T.Helper()
	out := map[int]bool{}
	for slot, on := range nodeOf(c) {
		if on == node {
			out[slot] = true
		}
	}
	return out
}
