//go:build linux

package failover

import (
	"fmt"
	"strings"
	"testing"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// two is a Compose file of two services, of which one takes the requests.
func two(image string) string {
	return strings.Replace(fleettest.Stack(3), lab.Hello, image, 1) + `  other:
    image: muster-hello:1
    stop_grace_period: 1s
    deploy:
      replicas: 2
`
}

// TestUpdateIsSmooth changes one service of a file: only its tasks are replaced,
// one at a time, and no request fails.
func TestUpdateIsSmooth(t *testing.T) {
	c := cluster(t)
	c.Run(c.Hosts[0], "deploy", "-f", c.File("compose.yaml", two(lab.Hello)))
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
	others, err := fleet.Containers(t.Context(), "app/other", c.Hosts...)
	c.Must(err)
	before := c.Lives(others)
	old := c.AwaitRunning(3, c.Hosts...)

	asked := c.Requests(c.Hosts...)
	watched := c.Extremes(fleettest.Web)
	c.Run(c.Hosts[0], "deploy", "-f", c.File("compose.yaml", two(lab.Hello2)))
	if least, _ := watched(); least < 2 {
		t.Errorf("only %d of 3 ran during an update of one at a time", least)
	}
	asked.NoneFailed()

	c.Settled(3, c.Hosts...)
	a, err := c.Ask(t.Context(), c.Hosts[0], fleettest.Port, fleettest.Soon)
	if err != nil || a.Version != "2" {
		t.Errorf("version %q answers, %v", a.Version, err)
	}
	now := make(map[string]bool)
	for _, one := range c.AwaitRunning(3, c.Hosts...) {
		now[one.ID] = true
	}
	for _, one := range old {
		if now[one.ID] {
			t.Errorf("%s was not replaced", one.Name)
		}
	}
	others, err = fleet.Containers(t.Context(), "app/other", c.Hosts...)
	c.Must(err)
	after := c.Lives(others)
	for name, started := range before {
		if !after[name].Equal(started) {
			t.Errorf("%s was replaced, though its service did not change", name)
		}
	}
}

// TestScale changes the number of tasks up and down; those that stay are not
// touched.
func TestScale(t *testing.T) {
	c := cluster(t)
	before := c.Lives(c.DeployWeb(3))
	c.Run(c.Hosts[2], "scale", fmt.Sprintf("%s=6", fleettest.Web))
	c.AwaitRunning(6, c.Hosts...)
	c.Run(c.Hosts[2], "scale", fmt.Sprintf("%s=3", fleettest.Web))
	c.Settled(3, c.Hosts...)
	c.SameLives(before, c.Hosts...)
}

// TestDrain empties a host without a failed request, and fills it no more.
func TestDrain(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(6)
	drained := c.Hosts[2]
	asked := c.Requests(c.Others(drained)...)
	c.Run(c.Hosts[0], "node", "drain", "-y", drained.Name)
	c.Settled(6, c.Others(drained)...)
	c.AwaitRunning(0, drained)
	asked.NoneFailed()
}
