//go:build linux

package networks

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestRulesAreFlushed has somebody flush the packet filter: it is as it was soon.
func TestRulesAreFlushed(t *testing.T) {
	c := ring.Cluster(t)
	web, _ := deploy(c, "app")
	for _, h := range c.Hosts {
		from := on(c, h, web)
		hears(c, from, "http://api/", c.Hosts...)
		if r := h.Exec(t.Context(), "nft", "delete", "table", "ip", "muster"); r.ExitCode != 0 {
			t.Fatalf("delete the table: %s", r.Stderr)
		}
		hears(c, from, "http://api/", c.Hosts...)
	}
}

// TestCutHeals cuts a host off and lets it back, again and again: names, addresses
// and ways are right soon after.
func TestCutHeals(t *testing.T) {
	c := ring.Cluster(t)
	web, _ := deploy(c, "app")
	h := c.FindFollower()
	from := on(c, c.Others(h)[0], web)
	for range 2 {
		c.Must(h.Cut())
		c.AwaitState(h, "down")
		c.Must(h.Heal(t.Context()))
		c.AwaitState(h, "ready")
		hears(c, from, "http://api/", c.Hosts...)
	}
}

// TestDataPlaneDies kills and replaces the process that WireGuard runs in: the
// containers' connections to other hosts go on.
func TestDataPlaneDies(t *testing.T) {
	c := ring.Cluster(t)
	web, _ := deploy(c, "app")
	h := c.Hosts[1]
	from := on(c, h, web)
	hears(c, from, "http://api/", c.Hosts...)
	for _, how := range []unix.Signal{unix.SIGHUP, unix.SIGKILL} {
		for _, pid := range h.DataPlanePIDs() {
			c.Must(unix.Kill(pid, how))
		}
		hears(c, from, "http://api/", c.Hosts...)
	}
}

// TestDockerRestarts restarts a host's engine: its containers come back to the same
// network.
func TestDockerRestarts(t *testing.T) {
	c := ring.Cluster(t)
	deploy(c, "app")
	h := c.Hosts[1]
	c.Must(h.StopDocker(t.Context()))
	c.Must(h.StartDocker(t.Context()))
	web := deployed(c, "app/web", len(c.Hosts))
	deployed(c, "app/api", len(c.Hosts))
	hears(c, on(c, h, web), "http://api/", c.Hosts...)
	hears(c, on(c, c.Hosts[0], web), "http://api/", c.Hosts...)
}
