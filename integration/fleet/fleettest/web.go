//go:build linux

package fleettest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

// The example service and its published port.
const (
	Web  = "app/web"
	Port = 8080
)

// Stack is a Compose file with the example service; lines are added to it.
func Stack(replicas int, lines ...string) string {
	text := fmt.Sprintf(`name: app
services:
  web:
    image: %s
    ports: ["%d:80"]
    stop_grace_period: 1s
    deploy:
      replicas: %d
`, lab.Hello, Port, replicas)
	for _, line := range lines {
		text += "    " + line + "\n"
	}
	return text
}

// DeployWeb deploys n tasks of the example service and waits until all are known
// to run and every host answers. It waits by itself: `deploy` watches new tasks
// for a while longer.
func (c *Cluster) DeployWeb(n int, lines ...string) []fleet.Container {
	c.T.Helper()
	c.Run(c.Hosts[1], "deploy", "-d", "-f", c.File("compose.yaml", Stack(n, lines...)))
	c.Settled(n, c.Hosts...)
	c.Must(c.AwaitAnswers(c.T.Context(), Port, c.Hosts...))
	return c.Containers(c.Hosts...)
}

// AwaitRunning waits until exactly n containers of the service run on hosts.
func (c *Cluster) AwaitRunning(n int, hosts ...*lab.Host) []fleet.Container {
	c.T.Helper()
	running, err := fleet.AwaitRunning(c.T.Context(), Web, n, hosts...)
	c.Must(err)
	return running
}

// Containers are the service's running containers on hosts.
func (c *Cluster) Containers(hosts ...*lab.Host) []fleet.Container {
	c.T.Helper()
	running, err := fleet.Containers(c.T.Context(), Web, hosts...)
	c.Must(err)
	return running
}

// Lives are the containers and when each was started: the same value later means
// that none was replaced or restarted.
func (c *Cluster) Lives(containers []fleet.Container) map[string]time.Time {
	c.T.Helper()
	lives := make(map[string]time.Time)
	for _, one := range containers {
		seen, err := one.Host.Inspect(c.T.Context(), one.ID)
		c.Must(err)
		lives[one.Host.Name+" "+one.Name] = seen.StartedAt
	}
	return lives
}

// SameLives fails the test unless the same containers run, without a restart.
func (c *Cluster) SameLives(before map[string]time.Time, hosts ...*lab.Host) {
	c.T.Helper()
	if diff := cmp.Diff(before, c.Lives(c.Containers(hosts...))); diff != "" {
		c.T.Errorf("containers were replaced or restarted (-before +after):\n%s", diff)
	}
}

// Settled waits until the service has n running tasks, all on hosts, and no
// others: what the cluster says, on the first of hosts, is what the engines have.
func (c *Cluster) Settled(n int, hosts ...*lab.Host) {
	c.T.Helper()
	c.AwaitRunning(n, hosts...)
	c.Within(Soon, "the cluster to agree with the engines", func(ctx context.Context) error {
		tasks, err := fleet.Tasks(ctx, hosts[0], Web)
		if err != nil {
			return err
		}
		if running := Count(tasks, "running"); running != n || len(tasks) != n {
			return fmt.Errorf("%d tasks, %d of them running: %s", len(tasks), running, States(tasks))
		}
		return nil
	})
}

// Tasks are the tasks of a service that have not ended, as any host sees them.
func (c *Cluster) Tasks(service string) []api.Task {
	c.T.Helper()
	tasks, err := fleet.Tasks(c.T.Context(), c.Any(), service)
	c.Must(err)
	return tasks
}

// Count counts the tasks that are in a state.
func Count(tasks []api.Task, state string) int {
	n := 0
	for _, t := range tasks {
		if t.State == state {
			n++
		}
	}
	return n
}

// States says how each task is, for messages.
func States(tasks []api.Task) string {
	var texts []string
	for _, t := range tasks {
		texts = append(texts, fmt.Sprintf("%d %s on %s (%s %s)", t.Slot, t.State, t.Node, t.Reason, t.Error))
	}
	slices.Sort(texts)
	return strings.Join(texts, "; ")
}
