//go:build linux

package networks

import (
	"context"
	"strings"
	"sync"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// deployed waits until n containers of a service run.
func deployed(c *fleettest.Cluster, service string, n int) []fleet.Container {
	c.T.Helper()
	all, err := fleet.AwaitRunning(c.T.Context(), service, n, c.Hosts...)
	c.Must(err)
	return all
}

// asking asks a URL from a container again and again until stop, which returns
// what went wrong.
func asking(c *fleettest.Cluster, from fleet.Container, url string) (stop func() []error) {
	ctx, cancel := context.WithCancel(c.T.Context())
	var failed []error
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			if _, err := inside(ctx, from, "ask", url); err != nil && ctx.Err() == nil {
				failed = append(failed, err)
			}
		}
	})
	stop = sync.OnceValue(func() []error {
		cancel()
		running.Wait()
		return failed
	})
	c.T.Cleanup(func() { stop() })
	return stop
}

// linksOf are a host's interfaces of networks across hosts.
func linksOf(c *fleettest.Cluster, h *lab.Host) (out []string) {
	c.T.Helper()
	r := h.Exec(c.T.Context(), "ip", "-o", "link")
	if r.ExitCode != 0 {
		c.T.Fatalf("list the interfaces of %s: %s", h.Name, r.Stderr)
	}
	for line := range strings.Lines(r.Stdout) {
		_, name, _ := strings.Cut(line, ": ")
		name, _, _ = strings.Cut(name, ":")
		if strings.HasPrefix(name, "mu") && name != "muster0" || strings.HasPrefix(name, "mx") {
			out = append(out, name)
		}
	}
	return out
}
