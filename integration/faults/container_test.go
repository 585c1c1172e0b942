//go:build linux

package faults

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// TestWorkedPastUs stops and kills containers as somebody with a shell on the
// host does: they are started again where they were, and that is counted.
func TestWorkedPastUs(t *testing.T) {
	c := cluster(t)
	running := c.DeployWeb(3)
	for i, verb := range []string{"stop?t=1", "kill", "restart?t=1"} {
		t.Run(strings.Split(verb, "?")[0], func(t *testing.T) {
			c := &fleettest.Cluster{Fleet: c.Fleet, T: t}
			one := running[i]
			before := c.Lives([]fleet.Container{one})
			docker(c, one.Host, http.StatusNoContent, http.MethodPost, "/containers/"+one.ID+"/"+verb, nil)
			c.Within(fleettest.Soon, "the container to run again", func(ctx context.Context) error {
				now, err := one.Host.Inspect(ctx, one.ID)
				if err == nil && (now.State != "running" || now.StartedAt.Equal(before[one.Host.Name+" "+one.Name])) {
					err = fmt.Errorf("it is %s since %s", now.State, now.StartedAt)
				}
				return err
			})
			c.Settled(3, c.Hosts...)
			for _, task := range c.Tasks(fleettest.Web) {
				if task.ContainerID == one.ID && verb != "restart?t=1" && task.Restarts != 1 {
					t.Errorf("%d restarts are counted", task.Restarts)
				}
			}
		})
	}
}

// TestNameIsTaken removes a container and gives its name to a foreign one: that
// is never touched, the cause is told, and the task runs when the name is free.
func TestNameIsTaken(t *testing.T) {
	c := cluster(t)
	ours := c.DeployWeb(1)[0]
	docker(c, ours.Host, http.StatusNoContent, http.MethodPost, "/containers/"+ours.ID+"/rename?name=aside", nil)
	foreign := map[string]any{"Image": lab.Hello, "Labels": map[string]string{"owner": "somebody else"}}
	docker(c, ours.Host, http.StatusCreated, http.MethodPost, "/containers/create?name="+ours.Name, foreign)
	docker(c, ours.Host, http.StatusNoContent, http.MethodPost, "/containers/"+ours.Name+"/start", nil)
	docker(c, ours.Host, http.StatusNoContent, http.MethodDelete, "/containers/aside?force=1", nil)
	t.Cleanup(func() {
		_, _, _ = ours.Host.DockerAPI(context.WithoutCancel(t.Context()), http.MethodDelete, "/containers/"+ours.Name+"?force=1", nil)
	})
	c.Within(fleettest.Soon, "the cause to be told", func(ctx context.Context) error {
		tasks, err := fleet.Tasks(ctx, c.Hosts[0], fleettest.Web)
		if err == nil && !strings.Contains(fleettest.States(tasks), "is not of this cluster") {
			err = fmt.Errorf("%s", fleettest.States(tasks))
		}
		return err
	})
	seen, err := ours.Host.Inspect(t.Context(), ours.Name)
	if err != nil || seen.State != "running" || seen.Labels["owner"] == "" {
		t.Errorf("the foreign container is %+v, %v", seen, err)
	}

	docker(c, ours.Host, http.StatusNoContent, http.MethodDelete, "/containers/"+ours.Name+"?force=1", nil)
	c.Settled(1, c.Hosts...)
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
}

// docker makes a call to a host's engine past Muster.
func docker(c *fleettest.Cluster, h *lab.Host, want int, method, path string, body any) {
	c.T.Helper()
	status, answer, err := h.DockerAPI(c.T.Context(), method, path, body)
	if err != nil || status != want {
		c.T.Fatalf("%s %s: %d %s %v", method, path, status, answer, err)
	}
}
