//go:build linux

package networks

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// ring is the cluster that all tests share.
var ring = fleettest.Ring{Hosts: 3, Options: lab.Options{Name: "networks"}}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := ring.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// stack is a Compose file of two services with a task on every host each, that
// find each other by name.
const stack = `name: %s
services:
  web: &service
    image: %s
    stop_grace_period: 1s
    deploy: {mode: global}
  api:
    <<: *service
    networks: {default: {aliases: [backend]}}
`

// deploy brings a stack up under a name, and waits for its containers.
func deploy(c *fleettest.Cluster, name string) (web, api []fleet.Container) {
	c.T.Helper()
	c.Run(c.Hosts[0], "deploy", "-d", "-f", c.File(name+".yaml", fmt.Sprintf(stack, name, lab.Hello)))
	var err error
	web, err = fleet.AwaitRunning(c.T.Context(), name+"/web", len(c.Hosts), c.Hosts...)
	c.Must(err)
	api, err = fleet.AwaitRunning(c.T.Context(), name+"/api", len(c.Hosts), c.Hosts...)
	c.Must(err)
	return web, api
}

// on is the container that runs on a host.
func on(c *fleettest.Cluster, h *lab.Host, all []fleet.Container) fleet.Container {
	c.T.Helper()
	for _, one := range all {
		if one.Host == h {
			return one
		}
	}
	c.T.Fatalf("nothing runs on %s", h.Name)
	return fleet.Container{}
}

// inside runs the example program in a container.
func inside(ctx context.Context, from fleet.Container, args ...string) (string, error) {
	r := from.Host.CLI(ctx, append([]string{"exec", from.Labels["muster.task"], "/hello"}, args...)...)
	if r.ExitCode != 0 {
		return "", fmt.Errorf("in %s: hello %s: %s", from.Name, strings.Join(args, " "), strings.TrimSpace(r.Stderr))
	}
	return r.Stdout, nil
}

// hears asks a URL until each of the hosts has answered.
func hears(c *fleettest.Cluster, from fleet.Container, url string, hosts ...*lab.Host) {
	c.T.Helper()
	heard := map[string]bool{}
	c.Within(fleettest.Soon, fmt.Sprintf("answers from every host to %s, asked by %s", url, from.Name), func(ctx context.Context) error {
		for range 4 * len(hosts) {
			line, err := inside(ctx, from, "ask", url)
			if err != nil {
				return err
			}
			_, rest, _ := strings.Cut(line, "node=")
			name, _, _ := strings.Cut(rest, " ")
			heard[name] = true
		}
		for _, h := range hosts {
			if !heard[h.Name] {
				return fmt.Errorf("only %v answered", heard)
			}
		}
		return nil
	})
}
