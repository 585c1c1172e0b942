//go:build linux

package rollouts

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// second is a Compose file with the example service's second version.
func second(file string) string { return strings.Replace(file, lab.Hello, lab.Hello2, 1) }

// checked is a health check that passes once the server answers.
const checked = `healthcheck: {test: [CMD, /hello, healthcheck], interval: 1s, start_period: 10s, start_interval: 200ms}`

const stopFirst = `  other:
    image: ` + lab.Hello + `
    stop_grace_period: 1s
    environment: {CHANGE: "%d"}
    deploy: {replicas: 2, update_config: {order: stop-first, monitor: 300ms}}
`

// TestUpdateIsAsConfigured updates two services of one file: one two at a time
// with a pause, start-first, and no request fails; the other stop-first.
func TestUpdateIsAsConfigured(t *testing.T) {
	c := cluster(t)
	const pause = 2 * time.Second
	file := fleettest.Stack(4, "  update_config: {parallelism: 2, delay: 2s, order: start-first, monitor: 300ms}", checked)
	c.Run(c.Hosts[0], "deploy", "-f", c.File("compose.yaml", file+fmt.Sprintf(stopFirst, 1)))
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))

	requests, web, other := c.Requests(c.Hosts...), c.Extremes(fleettest.Web), c.Extremes("app/other")
	c.Run(c.Hosts[1], "deploy", "-f", c.File("compose.yaml", second(file)+fmt.Sprintf(stopFirst, 2)))
	requests.NoneFailed()
	if least, most := web(); least < 4 || most > 6 {
		t.Errorf("%d to %d tasks of 4 ran during an update of two at a time that is start-first", least, most)
	}
	if least, most := other(); least < 1 || most > 2 {
		t.Errorf("%d to %d tasks of 2 ran during an update of one at a time that is stop-first", least, most)
	}
	c.Settled(4, c.Hosts...)
	tasks := c.Tasks(fleettest.Web)
	slices.SortFunc(tasks, func(a, b api.Task) int { return a.Created.Compare(b.Created) })
	if first, next := tasks[0].Created, tasks[1].Created; !next.Equal(first) {
		t.Errorf("the first two of the new tasks were made %v apart, not together", next.Sub(first))
	}
	if gap := tasks[2].Created.Sub(tasks[1].Created); gap < pause {
		t.Errorf("the third of the new tasks was made %v after those before it, without the pause of %v", gap, pause)
	}
	answersOnly(c, "2")
}

// answersOnly fails the test unless every host answers with that version.
func answersOnly(c *fleettest.Cluster, version string) {
	c.T.Helper()
	for _, h := range c.Hosts {
		if a, err := c.Ask(c.T.Context(), h, fleettest.Port, fleettest.Soon); err != nil || a.Version != version {
			c.T.Errorf("%s: version %q answers, %v; want %s", h.Name, a.Version, err, version)
		}
	}
}

// TestFailedUpdateReturns deploys what crashes, and what never becomes healthy:
// each time all is again as it was, what ran before is not touched, no request
// fails, and the history says what happened.
func TestFailedUpdateReturns(t *testing.T) {
	c := cluster(t)
	const config = "  update_config: {monitor: 1s}"
	c.Run(c.Hosts[0], "deploy", "-m", "the first", "-f", c.File("compose.yaml", fleettest.Stack(4, config, checked)))
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
	before := c.Lives(c.AwaitRunning(4, c.Hosts...))
	requests := c.Requests(c.Hosts...)
	for i, bad := range [][]string{
		{config, checked, "command: [-crash-after, 400ms]"},
		{config, "healthcheck: {test: [CMD, /hello, nonsense], interval: 300ms, retries: 2}"},
	} {
		c.Refused(c.Hosts[1], 3, []string{fmt.Sprintf("app/web was rolled back from generation %d to 1: 1 of 4 tasks failed", i+2)},
			"deploy", "-m", "a bad one", "-f", c.File("compose.yaml", second(fleettest.Stack(4, bad...))))
		c.Settled(4, c.Hosts...)
		c.SameLives(before, c.Hosts...)
	}
	requests.NoneFailed()
	history := see[[]api.Generation](c, c.Hosts[2], "history", fleettest.Web)
	for i, want := range []api.Generation{
		{Generation: 3, State: "failed", Message: "a bad one", Reason: "nonsense"}, // what the check said
		{Generation: 2, State: "failed", Message: "a bad one", Reason: "exit"},
		{Generation: 1, State: api.RolledBack, Message: "the first", Reason: "1 of 4 tasks failed", Current: true, Tasks: 4},
	} {
		got := history[i]
		if got.Author == "" || !strings.Contains(got.Reason, want.Reason) {
			t.Errorf("generation %d: author %q, reason %q; want %q in it", got.Generation, got.Author, got.Reason, want.Reason)
		}
		got.Author, got.Reason, got.Image, got.Template = "", want.Reason, "", want.Template
		if d := gocmp.Diff(want, got); d != "" {
			t.Errorf("generation %d (-want +got):\n%s", got.Generation, d)
		}
	}
}

const onHostsPort = `name: app
services:
  web:
    image: ` + lab.Hello + `
    network_mode: host
    environment: {PORT: "%d"}
    stop_grace_period: 1s
    deploy: {replicas: 3, update_config: {order: stop-first, monitor: 1s}, rollback_config: {parallelism: 0, monitor: 1s}}
`

// TestUpdateFailsHalfWay updates tasks that listen on a port of their hosts, one
// after the other. On the last one's host somebody else has the new port: the
// whole service returns, those that were well with it, too.
func TestUpdateFailsHalfWay(t *testing.T) {
	c := cluster(t)
	c.Run(c.Hosts[0], "deploy", "-f", c.File("compose.yaml", fmt.Sprintf(onHostsPort, 9001)))
	c.Settled(3, c.Hosts...)
	tasks := c.Tasks(fleettest.Web)
	last := slices.MaxFunc(tasks, func(a, b api.Task) int { return cmp.Compare(a.Slot, b.Slot) })
	host := c.Hosts[slices.IndexFunc(c.Hosts, func(h *lab.Host) bool { return h.Name == last.Node })]
	squat(c, host, 9002)

	c.Refused(c.Hosts[0], 3, []string{"was rolled back from generation 2 to 1"}, "deploy", "-f", c.File("compose.yaml", fmt.Sprintf(onHostsPort, 9002)))
	c.Settled(3, c.Hosts...)
	returned := 0
	for _, task := range c.Tasks(fleettest.Web) {
		if task.Generation != 1 {
			t.Errorf("slot %d runs generation %d", task.Slot, task.Generation)
		}
		if !slices.ContainsFunc(tasks, func(old api.Task) bool { return old.ID == task.ID }) {
			returned++
		}
	}
	if returned != 3 {
		t.Errorf("%d tasks are new ones of the generation before, want all 3: two were replaced before the third failed", returned)
	}
}

// squat has a container that is not the cluster's listen on a port of the host,
// until the test ends.
func squat(c *fleettest.Cluster, h *lab.Host, port int) {
	c.T.Helper()
	ctx := context.WithoutCancel(c.T.Context())
	call := func(method, path string, body any) {
		c.T.Helper()
		status, answer, err := h.DockerAPI(ctx, method, "/containers/"+path, body)
		c.Must(err)
		if status >= http.StatusBadRequest {
			c.T.Fatalf("%s %s on %s: %d %s", method, path, h.Name, status, answer)
		}
	}
	call(http.MethodPost, "create?name=squatter", map[string]any{
		"Image": lab.Hello, "Cmd": []string{"-port", strconv.Itoa(port)}, "HostConfig": map[string]any{"NetworkMode": "host"},
	})
	c.T.Cleanup(func() { call(http.MethodDelete, "squatter?force=1", nil) })
	call(http.MethodPost, "squatter/start", nil)
}

// TestFailedUpdatePauses leaves a failed update as it is, where that is asked for,
// until something better is deployed.
func TestFailedUpdatePauses(t *testing.T) {
	c := cluster(t)
	const config = "  update_config: {failure_action: pause, monitor: 500ms}"
	c.Run(c.Hosts[0], "deploy", "-f", c.File("compose.yaml", fleettest.Stack(3, config, checked)))
	before := c.Lives(c.AwaitRunning(3, c.Hosts...))
	c.Refused(c.Hosts[0], 3, []string{"paused"}, "deploy", "-f", c.File("compose.yaml", fleettest.Stack(3, config, checked, "command: [-crash-after, 100ms]")))
	if g := see[[]api.Generation](c, c.Hosts[1], "history", fleettest.Web)[0]; !g.Current || g.State != "paused" {
		t.Errorf("the new generation is %+v", g)
	}
	c.AwaitProblem(fleettest.Soon, c.Hosts[1], fleettest.Web, "the update is paused", "1 of 3 tasks failed")
	left := c.Lives(c.Containers(c.Hosts...))
	for name, started := range before {
		if !left[name].Equal(started) {
			t.Errorf("%s did not live on", name)
		}
	}
	c.Run(c.Hosts[2], "deploy", "-f", c.File("compose.yaml", second(fleettest.Stack(3, config, checked))))
	c.Settled(3, c.Hosts...)
	answersOnly(c, "2")
}

// TestCanary gives one task a new generation, promotes it, and goes back and forth.
func TestCanary(t *testing.T) {
	c := cluster(t)
	const config = "  update_config: {parallelism: 0, monitor: 300ms}"
	here := c.Hosts[1]
	generations := func(want map[uint64]int) {
		t.Helper()
		got := map[uint64]int{}
		for _, task := range c.Tasks(fleettest.Web) {
			got[task.Generation]++
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("tasks by generation: %v, want %v", got, want)
		}
	}
	c.Run(here, "deploy", "-f", c.File("compose.yaml", fleettest.Stack(3, config)))
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
	requests := c.Requests(c.Hosts...)
	c.Run(here, "deploy", "--canary", "1", "-m", "try it", "-f", c.File("compose.yaml", second(fleettest.Stack(3, config))))
	c.Settled(3, c.Hosts...)
	generations(map[uint64]int{1: 2, 2: 1})
	if g := see[[]api.Generation](c, here, "history", fleettest.Web)[0]; g.State != api.OnTrial || g.Message != "try it" || g.Tasks != 1 {
		t.Errorf("the canary is %+v", g)
	}
	c.Run(here, "scale", "app/web=5")
	c.Settled(5, c.Hosts...)
	generations(map[uint64]int{1: 4, 2: 1})

	c.Run(here, "promote", "-m", "it is well", fleettest.Web)
	c.Settled(5, c.Hosts...)
	generations(map[uint64]int{2: 5})
	answersOnly(c, "2")
	says(c, c.Run(here, "diff", fleettest.Web, "1", "2"), `- container.image.ref: "`+lab.Hello+`"`, `+ container.image.ref: "`+lab.Hello2+`"`)

	c.Run(here, "rollback", fleettest.Web)
	generations(map[uint64]int{1: 5})
	answersOnly(c, "1")
	c.Run(here, "rollback", "-m", "and forth", fleettest.Web, "2")
	generations(map[uint64]int{2: 5})
	answersOnly(c, "2")
	requests.NoneFailed()
	c.Refused(here, 1, []string{"generation 9 of app/web is not kept", "muster history"}, "rollback", fleettest.Web, "9")
	says(c, c.Run(here, "history", fleettest.Web), "2 *", "and forth")
	c.Run(here, "restart", "-m", "once more", fleettest.Web)
	if g := see[[]api.Generation](c, here, "history", fleettest.Web)[0]; g.Generation != 3 || g.Message != "once more" || g.Author == "" {
		t.Errorf("the restart is %+v", g)
	}
}
