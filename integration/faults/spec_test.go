//go:build linux

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
)

// TestCannotWork deploys what cannot run. The command says why, what the
// container last said, and what to type next, and exits with 3: what was deployed
// stays. What no node could ever run is refused and changes nothing.
func TestCannotWork(t *testing.T) {
	c := cluster(t)
	for _, one := range []struct {
		name, lines string
		timeout     string
		code        int
		words       []string
	}{
		{"no-such-image", `image: 127.0.0.1:5/none:1`, "30s", 1, []string{"127.0.0.1:5/none:1", "on no node", "muster image push"}},
		{"no-such-command", `entrypoint: ["/no/such/command"]`, "3s", 3, []string{"/no/such/command", "no such file", "next: muster"}},
		{
			"crashes", `command: ["-crash-after", "300ms"]`, "4s", 3,
			[]string{"is backoff", "exited with code 1", "| hello: crash after 300ms, as asked", "next: muster logs crashes/it.1", "muster ps crashes"},
		},
		{"too-big", `deploy: {resources: {reservations: {memory: 100G}}}`, "2s", 3, []string{"is pending", "3 nodes: 98 GiB short", "next: muster"}},
		{
			"no-such-path", `volumes: [{type: bind, source: /no/such/dir, target: /x, bind: {create_host_path: false}}]`, "3s", 3,
			[]string{"/no/such/dir", "does not exist"},
		},
		{
			"the-data-plane", fmt.Sprintf("volumes: [{type: bind, source: %s, target: /x}]\n    deploy: {placement: {constraints: [node.name==%s]}}",
				strings.Replace(c.Hosts[0].Socket, ".sock", "-dataplane.sock", 1), c.Hosts[0].Name), "3s", 3,
			[]string{"-dataplane.sock", "Muster's own", "next: muster"},
		},
		{"no-such-device", `devices: ["/dev/nope:/dev/nope"]`, "3s", 3, []string{"/dev/nope", "next: muster"}},
		{
			"never-healthy", `healthcheck: {test: [CMD, /hello, nothing], interval: 300ms, timeout: 1s, retries: 2}
    deploy: {restart_policy: {condition: none}}`, "4s", 3,
			[]string{"is unhealthy", `unknown command "nothing"`},
		},
	} {
		t.Run(one.name, func(t *testing.T) {
			c := &fleettest.Cluster{Fleet: c.Fleet, T: t}
			image := "image: muster-hello:1\n    "
			if strings.HasPrefix(one.lines, "image:") {
				image = ""
			}
			text := fmt.Sprintf("name: %s\nservices:\n  it:\n    %s%s\n    stop_grace_period: 1s\n", one.name, image, one.lines)
			c.Refused(c.Hosts[0], one.code, one.words, "deploy", "--timeout", one.timeout, "-f", c.File("compose.yaml", text))
			if one.code == 3 {
				c.Run(c.Hosts[1], "rm", "-y", one.name)
			}
		})
	}
}

// TestCrashLoop watches a container that ends again and again: its restarts are
// counted and come more and more slowly.
func TestCrashLoop(t *testing.T) {
	c := cluster(t)
	c.Run(c.Hosts[0], "deploy", "-d", "-f", c.File("compose.yaml", fleettest.Stack(1, `command: ["-crash-after", "100ms"]`)))
	ends := make(map[int]time.Time)
	c.Within(time.Minute, "three restarts", func(ctx context.Context) error {
		tasks, err := fleet.Tasks(ctx, c.Hosts[0], fleettest.Web)
		if err != nil || len(tasks) != 1 {
			return fmt.Errorf("%d tasks, %w", len(tasks), err)
		}
		n := tasks[0].Restarts
		if _, seen := ends[n]; !seen {
			ends[n] = time.Now()
		}
		if n < 3 {
			return fmt.Errorf("%s after %d restarts", fleettest.States(tasks), n)
		}
		return nil
	})
	if first, last := ends[2].Sub(ends[1]), ends[3].Sub(ends[2]); 2*last < 3*first {
		t.Errorf("the pauses do not grow: %v between the first two restarts, %v to the third", first, last)
	}
	var tasks []api.Task
	c.Must(json.Unmarshal([]byte(c.Run(c.Hosts[2], "ps", "-o", "json")), &tasks))
	if len(tasks) != 1 || tasks[0].State != "backoff" && tasks[0].State != "running" && tasks[0].State != "starting" {
		t.Errorf("ps shows %s", fleettest.States(tasks))
	}
}

// TestPublishedTwice deploys two stacks that publish the same port: the second
// is refused, with the name of the holder, and changes nothing.
func TestPublishedTwice(t *testing.T) {
	c := cluster(t)
	before := c.Lives(c.DeployWeb(3))
	second := strings.Replace(fleettest.Stack(1), "name: app", "name: second", 1)
	c.Refused(c.Hosts[1], 1, []string{fmt.Sprint(fleettest.Port), fleettest.Web}, "deploy", "-f", c.File("compose.yaml", second))
	if out := c.Run(c.Hosts[0], "ls", "-q"); strings.Contains(out, "second") {
		t.Errorf("the refused stack is there:\n%s", out)
	}
	c.SameLives(before, c.Hosts...)
}
