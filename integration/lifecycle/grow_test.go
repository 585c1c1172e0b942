//go:build linux

package lifecycle

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// zones of seven hosts: none needs to hold three of five voters.
var zones = map[string]string{"n1": "a", "n2": "b", "n3": "c", "n4": "a", "n5": "b", "n6": "c", "n7": "a"}

// TestGrowAndShrink takes a cluster from three hosts to five and to seven, kills
// the leader's host, brings it back, and takes two hosts out: there are always as
// many voters as there should be, in all zones, and every node agrees.
func TestGrowAndShrink(t *testing.T) {
	all := fleettest.Alone(t, "grow", 7)
	all.Zones = zones
	all.Must(all.StartAgents(t.Context(), all.Hosts...))

	c := part(all, all.Hosts[:3]...)
	c.Must(c.Form(t.Context()))
	c.DeployWeb(6)
	whole(c, 3, 6)
	c = grow(all, c, all.Hosts[3:5]...)
	whole(c, 3, 10)
	c = grow(all, c, all.Hosts[5:]...)
	whole(c, 5, 14)

	victim := c.FindLeader()
	survivors := part(c, c.Others(victim)...)
	died := time.Now()
	c.Must(victim.Kill())
	c.AwaitRunning(14, survivors.Hosts...)
	t.Logf("all run again %.1f s after the death of %s", time.Since(died).Seconds(), victim.Name)
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, survivors.Hosts...))
	c.AwaitState(victim, "down")
	c.Within(90*time.Second, "five voters without "+victim.Name, func(ctx context.Context) error {
		return vote(ctx, survivors.Hosts, 5)
	})
	t.Logf("five voters %.1f s after it", time.Since(died).Seconds())
	c.Must(c.Return(t.Context(), victim))
	whole(c, 5, 14)

	leaves, removed := c.FindLeader(), c.FindFollower()
	c.Run(leaves, "leave", "-y")
	c = part(c, c.Others(leaves)...)
	c.Run(c.Others(removed)[0], "node", "rm", "-y", "--force", removed.Name)
	c = part(c, c.Others(removed)...)
	whole(c, 3, 14)
	c.AwaitRunning(0, leaves, removed)
}

// part is the cluster with those hosts alone.
func part(c *fleettest.Cluster, hosts ...*lab.Host) *fleettest.Cluster {
	return &fleettest.Cluster{Fleet: c.Part(hosts...), T: c.T}
}

// grow takes hosts in, and gives them something to do: two tasks for each node.
func grow(all, c *fleettest.Cluster, hosts ...*lab.Host) *fleettest.Cluster {
	c.T.Helper()
	token, err := c.Token(c.T.Context())
	c.Must(err)
	for _, h := range hosts {
		c.Run(h, "join", c.Hosts[1].Addr, "--token", token)
	}
	c = part(all, slices.Concat(c.Hosts, hosts)...)
	c.Must(c.AwaitReady(c.T.Context(), c.Hosts...))
	n := 2 * len(c.Hosts)
	c.Run(hosts[0], "scale", fmt.Sprintf("%s=%d", fleettest.Web, n))
	c.Settled(n, c.Hosts...)
	for _, h := range hosts {
		if got := len(c.Containers(h)); got != 2 {
			c.T.Errorf("%s, which is new, runs %d tasks, not 2", h.Name, got)
		}
	}
	return c
}

// whole waits until the cluster is its hosts and no others, all ready, with as
// many voters and tasks as that, and every host knows all of it.
func whole(c *fleettest.Cluster, voters, tasks int) {
	c.T.Helper()
	c.Settled(tasks, c.Hosts...)
	c.Within(time.Minute, "a whole cluster", func(ctx context.Context) error {
		if err := vote(ctx, c.Hosts, voters); err != nil {
			return err
		}
		for _, h := range c.Hosts {
			if err := knowsAll(ctx, h, c.Hosts, tasks); err != nil {
				return fmt.Errorf("%s: %w", h.Name, err)
			}
		}
		return nil
	})
	c.Must(c.AwaitAnswers(c.T.Context(), fleettest.Port, c.Hosts...))
}

// vote says what is wrong if not exactly so many of hosts vote, of all zones,
// none of which has a majority, as each of them sees it.
func vote(ctx context.Context, hosts []*lab.Host, want int) error {
	var said []string
	for _, h := range hosts {
		s, err := fleet.Status(ctx, h)
		if err != nil {
			return err
		}
		slices.Sort(s.Voters)
		if said == nil {
			said = s.Voters
		}
		if s.Leader == "" || s.Stale || len(s.Voters) != want || !slices.Equal(s.Voters, said) {
			return fmt.Errorf("%s: leader %q, stale %v, voters %q of %d; another host: %q", h.Name, s.Leader, s.Stale, s.Voters, want, said)
		}
	}
	in := make(map[string]int)
	for _, name := range said {
		if !slices.Contains(names(hosts), name) {
			return fmt.Errorf("%s votes", name)
		}
		in[zones[name]]++
	}
	for zone, n := range in {
		if n > want/2 {
			return fmt.Errorf("zone %s has %d of %d voters: %q", zone, n, want, said)
		}
	}
	return nil
}

// knowsAll says what h does not know of the cluster.
func knowsAll(ctx context.Context, h *lab.Host, hosts []*lab.Host, tasks int) error {
	nodes, err := fleet.Nodes(ctx, h)
	if err != nil {
		return err
	}
	local, err := fleet.Local(ctx, h)
	if err != nil {
		return err
	}
	want := names(hosts)
	for what, got := range map[string][]string{
		"nodes": slices.Collect(maps.Keys(nodes)), "members": local.Members, "heard": local.Heard,
	} {
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	if len(local.Backends) != tasks {
		return fmt.Errorf("it carries connections to %d tasks, not %d", len(local.Backends), tasks)
	}
	for name, n := range nodes {
		if n.State != "ready" {
			return fmt.Errorf("%s is %q", name, n.State)
		}
	}
	return nil
}

func names(hosts []*lab.Host) []string {
	var out []string
	for _, h := range hosts {
		out = append(out, h.Name)
	}
	slices.Sort(out)
	return out
}
