//go:build linux

package rollouts

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// byItself is a service whose tasks the leader may move.
const byItself = `  own:
    image: ` + lab.Hello + `
    stop_grace_period: 1s
    deploy: {replicas: 4, update_config: {monitor: 300ms}}
    x-muster: {rebalance: auto}
`

// TestNewHostIsFilled has a fourth host join. Rebalance gives it tasks of one
// service, without a failed request through any host; the leader gives it one of another by
// itself, and then all stay where they are.
func TestNewHostIsFilled(t *testing.T) {
	c := cluster(t)
	const tasks = 8
	here := c.Hosts[0]
	c.Run(here, "deploy", "-f", c.File("compose.yaml", fleettest.Stack(tasks, "  update_config: {monitor: 300ms}")+byItself))
	fresh, all := grow(c)
	c.Within(fleettest.Soon, "moves to be worth it", func(ctx context.Context) error {
		if r := here.CLI(ctx, "rebalance", "--plan", fleettest.Web); r.ExitCode != somethingToDo {
			return fmt.Errorf("exit code %d, %s%s", r.ExitCode, r.Stdout, r.Stderr)
		}
		return nil
	})
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, all.Hosts...))
	requests := all.Requests(all.Hosts...)
	c.Run(here, "rebalance", "-m", "it is new", fleettest.Web)
	all.Settled(tasks, all.Hosts...)
	if got := perHost(all, fleettest.Web); fmt.Sprint(got) != "[2 2 2 2]" {
		t.Errorf("tasks by host: %v", got)
	}
	if got := perHost(all, "app/own"); got[3] > 0 && time.Since(fresh.since) < time.Minute {
		t.Errorf("a task was moved by itself before the new host has rested: %v", got)
	}
	c.Within(2*time.Minute, "the leader to fill "+fresh.Name, func(ctx context.Context) error {
		running, err := fleet.Containers(ctx, "app/own", fresh.Host)
		if err == nil && len(running) == 0 {
			err = fmt.Errorf("%s has none", fresh.Name)
		}
		return err
	})
	_, err := fleet.AwaitRunning(t.Context(), "app/own", 4, all.Hosts...)
	c.Must(err)
	if got := perHost(all, "app/own"); fmt.Sprint(got) != "[1 1 1 1]" {
		t.Errorf("tasks by host: %v", got)
	}
	requests.NoneFailed()
	says(c, c.Run(here, "events", "--service", "app/own"), "the leader")
	if r := here.CLI(t.Context(), "rebalance", "--plan"); r.ExitCode != 0 {
		t.Errorf("then again: exit code %d, %s%s", r.ExitCode, r.Stdout, r.Stderr)
	}
}

type joined struct {
	*lab.Host
	since time.Time
}

// grow takes another host in, until the test ends.
func grow(c *fleettest.Cluster) (fresh joined, all *fleettest.Cluster) {
	c.T.Helper()
	ctx := c.T.Context()
	booted, err := c.Lab.StartHosts(ctx, 1)
	c.Must(err)
	fresh.Host = booted[0]
	c.Must(c.Lab.LoadHello(ctx, fresh.Host))
	c.Must(c.StartAgents(ctx, fresh.Host))
	token, err := c.Token(ctx)
	c.Must(err)
	c.Run(fresh.Host, "join", c.Hosts[0].Addr, "--token", token)
	fresh.since = time.Now()
	c.T.Cleanup(func() {
		_, err := fleet.Run(context.WithoutCancel(ctx), fresh.Host, "leave", "-y")
		c.Must(err)
		c.Must(fresh.Kill())
	})
	all = &fleettest.Cluster{Fleet: c.Part(append(slices.Clone(c.Hosts), fresh.Host)...), T: c.T}
	c.Must(all.AwaitReady(ctx, all.Hosts...))
	return fresh, all
}

// perHost is how many containers of the service run on each host.
func perHost(c *fleettest.Cluster, service string) []int {
	c.T.Helper()
	running, err := fleet.Containers(c.T.Context(), service, c.Hosts...)
	c.Must(err)
	out := make([]int, len(c.Hosts))
	for _, one := range running {
		out[slices.Index(c.Hosts, one.Host)]++
	}
	return out
}
