//go:build linux

package rollouts

import (
	"path/filepath"
	"testing"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet/fleettest"
)

// TestPlanIsDeployed keeps plans in files. One is deployed as it is; others are
// refused once the stack or a node is another, and nothing is changed then.
func TestPlanIsDeployed(t *testing.T) {
	c := cluster(t)
	const config = "  update_config: {parallelism: 0, monitor: 300ms}"
	first, next := fleettest.Stack(3, config), second(fleettest.Stack(3, config))
	here, file, kept := c.Hosts[1], c.File("compose.yaml", first), filepath.Join(t.TempDir(), "app.plan")
	c.Refused(here, somethingToDo, []string{"start", "app/web.3 on n"}, "plan", "-f", file, "--out", kept)
	c.Run(here, "deploy", "--plan", kept)
	c.Settled(3, c.Hosts...)
	says(c, c.Run(here, "plan", "-f", file), "app: unchanged")

	file = c.File("next.yaml", next)
	c.Refused(here, somethingToDo, []string{`+ template.container.image.ref: "muster-hello:2"`, "replace"},
		"plan", "-f", file, "--out", kept)
	moved := filepath.Join(t.TempDir(), "moved.plan")
	c.Refused(here, somethingToDo, nil, "plan", "-f", file, "--out", moved)
	c.Run(here, "deploy", "--plan", kept, "-m", "as planned")
	answersOnly(c, "2")
	if g := see[[]api.Generation](c, here, "history", fleettest.Web)[0]; g.Generation != 2 || g.Message != "as planned" {
		t.Errorf("the deployed plan is %+v", g)
	}

	before := c.Lives(c.AwaitRunning(3, c.Hosts...))
	c.Refused(here, 1, []string{"nothing was changed", "app/web has changed", "muster plan --out"}, "deploy", "--plan", moved)
	c.Refused(here, somethingToDo, nil, "plan", "-f", c.File("compose.yaml", first), "--out", kept)
	drained := c.FindFollower()
	c.Run(here, "node", "cordon", drained.Name)
	c.Refused(here, 1, []string{"nothing was changed", "it would"}, "deploy", "--plan", kept)
	c.SameLives(before, c.Hosts...)
	c.Run(here, "node", "uncordon", drained.Name)
	c.Run(here, "deploy", "--plan", kept)
	answersOnly(c, "1")
}
