//go:build linux

package rollouts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// oneCPU is a stack of tasks that take a whole CPU each.
func oneCPU(stack string, replicas, priority int) string {
	return fmt.Sprintf(`name: %s
services:
  it:
    image: %s
    stop_grace_period: 5s
    deploy: {replicas: %d, resources: {reservations: {cpus: "1"}}}
    x-muster: {priority: %d}
`, stack, lab.Hello, replicas, priority)
}

// TestHigherPriorityTakesItsPlace fills all hosts and deploys what is more
// important. The plan has told who leaves; they end well, wait, and are back once
// there is room.
func TestHigherPriorityTakesItsPlace(t *testing.T) {
	c := cluster(t)
	const all, high = 3 * hostCPUs, 2
	c.Run(c.Hosts[0], "deploy", "-f", c.File("low.yaml", oneCPU("low", all, 20)))
	before, err := fleet.Containers(t.Context(), "low/it", c.Hosts...)
	c.Must(err)
	file := c.File("high.yaml", oneCPU("high", high, 90))

	plan := see[api.Plan](c, c.Hosts[1], "plan", "-f", file)
	if len(plan.Victims) != high || slices.ContainsFunc(plan.Victims, func(v api.Victim) bool { return v.Service != "low/it" || v.By != "high/it" }) {
		t.Errorf("the plan has %+v leave, want %d tasks of low/it", plan.Victims, high)
	}
	c.Refused(c.Hosts[1], somethingToDo, []string{"leaves", "for high/it", "(priority 90)"}, "plan", "-f", file)

	c.Run(c.Hosts[1], "deploy", "-f", file)
	_, err = fleet.AwaitRunning(t.Context(), "high/it", high, c.Hosts...)
	c.Must(err)
	left, err := fleet.AwaitRunning(t.Context(), "low/it", all-high, c.Hosts...)
	c.Must(err)
	for _, one := range before {
		if slices.ContainsFunc(left, func(l fleet.Container) bool { return l.ID == one.ID }) {
			continue
		}
		if seen, err := one.Host.Inspect(t.Context(), one.ID); err != nil || seen.ExitCode != 0 {
			t.Errorf("%s left with exit code %d, %v: it was not asked to end", one.Name, seen.ExitCode, err)
		}
	}
	if said := c.Run(c.Hosts[2], "ps", "-a", "low"); strings.Count(said, "preempted by high/it (priority 90)") != high {
		t.Errorf("it does not say %d times who preempted:\n%s", high, said)
	}
	if tasks := c.Tasks("low/it"); fleettest.Count(tasks, "pending") != high {
		t.Errorf("%d are to wait: %s", high, fleettest.States(tasks))
	}

	c.Run(c.Hosts[0], "rm", "-y", "high")
	c.Within(fleettest.Soon, "all to run again", func(ctx context.Context) error {
		tasks, err := fleet.Tasks(ctx, c.Hosts[0], "low/it")
		if err == nil && fleettest.Count(tasks, "running") != all {
			err = fmt.Errorf("%s", fleettest.States(tasks))
		}
		return err
	})
}
