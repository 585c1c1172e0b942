//go:build linux

package networks

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// TestNames has services find each other across hosts, by every name that they
// have, from every host.
func TestNames(t *testing.T) {
	c := ring.Cluster(t)
	web, api := deploy(c, "app")
	for _, h := range c.Hosts {
		from := on(c, h, web)
		hears(c, from, "http://api/", c.Hosts...)
		for _, name := range []string{"backend", "api.app", "tasks.api", "tasks.api.app", "web"} {
			if _, err := inside(t.Context(), from, "ask", "http://"+name+"/"); err != nil {
				t.Error(err)
			}
		}
	}
	tasks, err := inside(t.Context(), web[0], "lookup", "tasks.api")
	c.Must(err)
	if n := len(strings.Fields(tasks)); n != len(api) {
		t.Errorf("tasks.api has %d addresses, there are %d tasks:\n%s", n, len(api), tasks)
	}
	before, err := inside(t.Context(), web[0], "lookup", "api")
	c.Must(err)
	c.Run(c.Hosts[1], "restart", "app/api")
	if after, err := inside(t.Context(), web[0], "lookup", "api"); err != nil || after != before {
		t.Errorf("the service's own address was %q and is %q, %v", before, after, err)
	}
}

// TestOtherStacks have the same names, and see nothing of this one.
func TestOtherStacks(t *testing.T) {
	c := ring.Cluster(t)
	web, _ := deploy(c, "app")
	other, _ := deploy(c, "other")
	line, err := inside(t.Context(), web[0], "lookup", "tasks.api")
	c.Must(err)
	service, err := inside(t.Context(), web[0], "lookup", "api")
	c.Must(err)
	hears(c, other[0], "http://api/", c.Hosts...)
	for _, url := range append(strings.Fields(line), strings.TrimSpace(service), "api.app", "tasks.api.app") {
		if answer, err := inside(t.Context(), other[0], "ask", "http://"+url+"/"); err == nil {
			t.Errorf("a stranger was answered by %s: %s", url, answer)
		}
	}
}

// TestOnlyReadyTasksAreFound stops tasks of a service one after the other: what is
// left answers, without a failed question.
func TestOnlyReadyTasksAreFound(t *testing.T) {
	c := ring.Cluster(t)
	file := func(replicas int) string {
		return c.File(fmt.Sprintf("app%d.yaml", replicas), fmt.Sprintf(`name: app
services:
  web: {image: %[1]s, deploy: {mode: global}}
  api: {image: %[1]s, stop_grace_period: 5s, deploy: {replicas: %[2]d}}
`, lab.Hello, replicas))
	}
	c.Run(c.Hosts[0], "deploy", "-f", file(4))
	web := deployed(c, "app/web", 3)
	from := on(c, c.Hosts[0], web)
	stop := asking(c, from, "http://api/")
	c.Run(c.Hosts[0], "scale", "app/api=1")
	deployed(c, "app/api", 1)
	if failed := stop(); len(failed) > 0 {
		t.Errorf("%d questions failed, the first: %v", len(failed), failed[0])
	}
}

// TestNothingIsLeft removes a stack: no host has anything of its networks.
func TestNothingIsLeft(t *testing.T) {
	c := ring.Cluster(t)
	deploy(c, "app")
	for _, h := range c.Hosts {
		if links := linksOf(c, h); len(links) == 0 {
			t.Fatalf("%s has no interface of ours", h.Name)
		}
	}
	c.Run(c.Hosts[0], "rm", "-y", "app")
	c.Within(fleettest.Soon, "the networks to go", func(context.Context) error {
		for _, h := range c.Hosts {
			if links := linksOf(c, h); len(links) > 0 {
				return fmt.Errorf("%s has %s", h.Name, links)
			}
		}
		return nil
	})
}
