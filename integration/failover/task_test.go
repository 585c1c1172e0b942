//go:build linux

package failover

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// TestRemovedBehindOurBack removes a container as `docker rm -f` does.
func TestRemovedBehindOurBack(t *testing.T) {
	c := cluster(t)
	running := c.DeployWeb(3)
	gone := running[0]
	status, answer, err := gone.Host.DockerAPI(t.Context(), http.MethodDelete, "/containers/"+gone.ID+"?force=1", nil)
	if err != nil || status != http.StatusNoContent {
		t.Fatalf("docker rm -f: %d %s %v", status, answer, err)
	}
	c.Within(fleettest.Soon, "a new container", func(ctx context.Context) error {
		now, err := fleet.Containers(ctx, fleettest.Web, c.Hosts...)
		if err == nil && (len(now) != 3 || slices.ContainsFunc(now, func(one fleet.Container) bool { return one.ID == gone.ID })) {
			err = fmt.Errorf("%d run", len(now))
		}
		return err
	})
	c.Settled(3, c.Hosts...)
}

// TestStrayEnds starts a container that carries the cluster's labels and belongs
// to no task.
func TestStrayEnds(t *testing.T) {
	c := cluster(t)
	running := c.DeployWeb(1)
	h := running[0].Host
	labels := map[string]string{"muster.task": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "muster.slot": "7"}
	for key, value := range running[0].Labels {
		if strings.HasPrefix(key, "muster.") && labels[key] == "" {
			labels[key] = value
		}
	}
	start(t, h, "stray", map[string]any{"Image": lab.Hello, "Labels": labels})
	c.Settled(1, c.Hosts...)
}

// start runs a container past Muster.
func start(t *testing.T, h *lab.Host, name string, body map[string]any) {
	t.Helper()
	status, answer, err := h.DockerAPI(t.Context(), http.MethodPost, "/containers/create?name="+name, body)
	if err != nil || status != http.StatusCreated {
		t.Fatalf("create %s: %d %s %v", name, status, answer, err)
	}
	status, answer, err = h.DockerAPI(t.Context(), http.MethodPost, "/containers/"+name+"/start", nil)
	if err != nil || status != http.StatusNoContent {
		t.Fatalf("start %s: %d %s %v", name, status, answer, err)
	}
}

// TestPortTaken deploys a service whose published port another process has on
// one host. The others answer, the cluster says what is wrong, and the host
// answers as soon as the port is free.
func TestPortTaken(t *testing.T) {
	c := cluster(t)
	taken := c.Hosts[1]
	start(t, taken, "squatter", map[string]any{
		"Image": lab.Hello, "Cmd": []string{"-port", fmt.Sprint(fleettest.Port)}, "HostConfig": map[string]any{"NetworkMode": "host"},
	})
	t.Cleanup(func() { removeSquatter(t, taken) })
	c.Run(c.Hosts[0], "deploy", "-d", "-f", c.File("compose.yaml", fleettest.Stack(3)))
	c.AwaitRunning(3, c.Hosts...)
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Others(taken)...))
	c.Within(fleettest.Soon, "the problem to be told", func(ctx context.Context) error {
		s, err := fleet.Status(ctx, taken)
		if err == nil && !strings.Contains(strings.Join(s.Problems, "\n"), fmt.Sprint(fleettest.Port)) {
			err = fmt.Errorf("problems: %q", s.Problems)
		}
		return err
	})

	removeSquatter(t, taken)
	c.Within(fleettest.Soon, "an answer of a task on every host", func(ctx context.Context) error {
		for _, h := range c.Hosts {
			a, err := c.Ask(ctx, h, fleettest.Port, time.Second)
			if err != nil {
				return err
			}
			if len(a.Task) != 26 {
				return fmt.Errorf("%s answers for task %q", h.Name, a.Task)
			}
		}
		s, err := fleet.Status(ctx, taken)
		if err == nil && !s.Healthy {
			err = fmt.Errorf("problems: %q", s.Problems)
		}
		return err
	})
}

func removeSquatter(t *testing.T, h *lab.Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	defer cancel()
	if _, _, err := h.DockerAPI(ctx, http.MethodDelete, "/containers/squatter?force=1", nil); err != nil {
		t.Error(err)
	}
}

// TestPendingUntilThereIsRoom asks for more memory than is left, reads why the
// task waits, and makes room.
func TestPendingUntilThereIsRoom(t *testing.T) {
	c := cluster(t)
	const big = `name: big
services:
  filler:
    image: muster-hello:1
    deploy:
      replicas: 3
      resources: {reservations: {memory: 1200M}}
      placement: {max_replicas_per_node: 1}
`
	c.Run(c.Hosts[0], "deploy", "-f", c.File("compose.yaml", big))
	room := strings.ReplaceAll(fleettest.Stack(1), "replicas: 1", "replicas: 1\n      resources: {reservations: {memory: 1200M}}")
	c.Run(c.Hosts[0], "deploy", "-d", "-f", c.File("compose.yaml", room))
	c.Within(fleettest.Soon, "the reason of the wait", func(ctx context.Context) error {
		tasks, err := fleet.Tasks(ctx, c.Hosts[0], fleettest.Web)
		switch {
		case err != nil:
			return err
		case len(tasks) != 1 || tasks[0].State != "pending" || tasks[0].Node != "":
			return fmt.Errorf("tasks: %s", fleettest.States(tasks))
		case !strings.HasPrefix(tasks[0].Reason, "3 nodes: ") || !strings.Contains(tasks[0].Reason, "short"):
			return fmt.Errorf("reason: %q", tasks[0].Reason)
		}
		return nil
	})
	c.Run(c.Hosts[0], "scale", "big/filler=2")
	c.Settled(1, c.Hosts...)
}

// TestNoSuchNode asks for a label that no node has, then gives it to one.
func TestNoSuchNode(t *testing.T) {
	c := cluster(t)
	picky := strings.ReplaceAll(fleettest.Stack(1), "replicas: 1", "replicas: 1\n      placement: {constraints: [node.labels.disk == fast]}")
	c.Run(c.Hosts[0], "deploy", "-d", "-f", c.File("compose.yaml", picky))
	c.Within(fleettest.Soon, "the reason of the wait", func(ctx context.Context) error {
		tasks, err := fleet.Tasks(ctx, c.Hosts[0], fleettest.Web)
		if err == nil && (len(tasks) != 1 || !strings.Contains(tasks[0].Reason, "3 nodes: ") || !strings.Contains(tasks[0].Reason, "node.labels.disk")) {
			err = fmt.Errorf("tasks: %s", fleettest.States(tasks))
		}
		return err
	})
	fast := c.Hosts[2]
	c.Run(c.Hosts[0], "node", "label", fast.Name, "disk=fast")
	c.AwaitRunning(1, fast)
	c.Run(c.Hosts[0], "node", "label", fast.Name, "disk-")
}
