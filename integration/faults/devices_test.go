//go:build linux

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

const (
	twoDevices = `
resources:
  devices:
    - {kind: fuse, path: /dev/fuse, count: 2, model: file systems}
`
	asksDevice = `
name: devices
services:
  it:
    image: muster-hello:1
    stop_grace_period: 1s
    deploy: {replicas: 3}
    x-muster: {resources: {devices: {fuse: 1}}}
  past:
    image: muster-hello:1
    devices: ["/dev/fuse:/dev/other"]
    deploy: {replicas: 1, placement: {constraints: ["node.name==%s"]}}
`
)

// TestDevicesAreHandedOut lets one host offer a device to two tasks. They get it
// there, in their containers; a third waits, and says for what. Who asks for the
// file past placement does not get it.
func TestDevicesAreHandedOut(t *testing.T) {
	c := cluster(t)
	h := c.FindFollower()
	restart := func(args ...string) {
		ctx := context.WithoutCancel(t.Context())
		c.Must(h.StopAgent(ctx))
		c.Must(h.StartAgent(ctx, lab.AgentOptions{Binary: c.Agent, Args: append(args, c.AgentArgs...)}))
		c.Must(c.AwaitReady(ctx, c.Hosts...))
	}
	restart("--config", c.File("agent.yaml", twoDevices))
	t.Cleanup(func() { restart() })
	c.Within(fleettest.Soon, "the devices to be known", func(context.Context) error {
		if out := c.Run(c.Hosts[0], "node", "inspect", h.Name); !strings.Contains(out, "fuse/fuse-2, file systems, 0 allocated") {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	c.Run(c.Hosts[0], "deploy", "-d", "-f", c.File("compose.yaml", fmt.Sprintf(asksDevice, h.Name)))
	c.Within(fleettest.Soon, "two tasks to run, one to wait and one to be refused", func(ctx context.Context) error {
		tasks, err := fleet.Tasks(ctx, c.Hosts[0], "devices/it")
		if err == nil && (fleettest.Count(tasks, "running") != 2 || !strings.Contains(fleettest.States(tasks), "3 nodes: 1 device of kind fuse short")) {
			err = fmt.Errorf("%s", fleettest.States(tasks))
		}
		past, e := fleet.Tasks(ctx, c.Hosts[0], "devices/past")
		if err == nil && e == nil && !strings.Contains(fleettest.States(past), "is one that placement gives away") {
			err = fmt.Errorf("%s", fleettest.States(past))
		}
		return err
	})
	running, err := fleet.Containers(t.Context(), "devices/it", h)
	if err != nil || len(running) != 2 {
		t.Fatalf("%d containers on %s, %v", len(running), h.Name, err)
	}
	given := map[string]bool{}
	for _, one := range running {
		var seen struct {
			Config     struct{ Env []string }
			HostConfig struct {
				Devices []struct{ PathOnHost, PathInContainer string }
			}
		}
		status, body, err := h.DockerAPI(t.Context(), http.MethodGet, "/containers/"+one.ID+"/json", nil)
		if err != nil || status != http.StatusOK {
			t.Fatal(status, err)
		}
		c.Must(json.Unmarshal(body, &seen))
		if d := seen.HostConfig.Devices; len(d) != 1 || d[0].PathOnHost != "/dev/fuse" {
			t.Errorf("%s has the devices %v", one.Name, d)
		}
		for _, v := range seen.Config.Env {
			if id, ok := strings.CutPrefix(v, "MUSTER_DEVICES_FUSE="); ok {
				given[id] = true
			}
		}
		// The program is not one: the engine says whether the file is there.
		r := c.Hosts[0].CLI(t.Context(), "exec", "devices/it."+one.Slot(), "/dev/fuse")
		if r.ExitCode == 0 || !strings.Contains(r.Stdout+r.Stderr, "permission denied") {
			t.Errorf("%s: no /dev/fuse in the container: %d, %s%s", one.Name, r.ExitCode, r.Stdout, r.Stderr)
		}
	}
	if !given["fuse-1"] || !given["fuse-2"] {
		t.Errorf("the tasks were given %v", given)
	}
	c.Run(c.Hosts[0], "ps", "devices", "-o", "wide")
	c.Run(c.Hosts[0], "rm", "-y", "devices")
	c.Within(fleettest.Soon, "the devices to be given back", func(context.Context) error {
		if out := c.Run(c.Hosts[0], "node", "inspect", h.Name); strings.Count(out, ", 0 allocated") < 2 || strings.Contains(out, "1 allocated") {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
}
