//go:build linux

package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// cutFor is how long a network fails here; the virtual ring has the long ones.
const cutFor = 8 * time.Second

// TestEveryKindOfCut fails the network in every way that three hosts have. (The
// chaos ring has five, and cuts two of them off.) Who is alone answers at once;
// when it ends, everybody knows the same, each slot runs once, and there were at
// most two elections.
func TestEveryKindOfCut(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(6)
	for _, kind := range []struct {
		name  string
		stage func(c *fleettest.Cluster, leader, one, other *lab.Host) (alone *lab.Host)
	}{
		{"a follower", func(c *fleettest.Cluster, _, one, _ *lab.Host) *lab.Host { c.Must(one.Cut()); return one }},
		{"the leader", func(c *fleettest.Cluster, leader, _, _ *lab.Host) *lab.Host { c.Must(leader.Cut()); return leader }},
		{"a bridge", func(c *fleettest.Cluster, leader, one, _ *lab.Host) *lab.Host {
			lose(c, leader, one)
			lose(c, one, leader)
			return nil
		}},
		{"loss to a follower", func(c *fleettest.Cluster, leader, one, _ *lab.Host) *lab.Host { lose(c, leader, one); return nil }},
		{"loss from a follower", func(c *fleettest.Cluster, leader, one, _ *lab.Host) *lab.Host { lose(c, one, leader); return nil }},
		{"a follower hears nobody", func(c *fleettest.Cluster, leader, one, other *lab.Host) *lab.Host {
			lose(c, leader, one)
			lose(c, other, one)
			return nil
		}},
		{"nobody hears a follower", func(c *fleettest.Cluster, leader, one, other *lab.Host) *lab.Host {
			lose(c, one, leader)
			lose(c, one, other)
			return nil
		}},
		{"nobody hears the leader", func(c *fleettest.Cluster, leader, one, other *lab.Host) *lab.Host {
			lose(c, leader, one)
			lose(c, leader, other)
			return nil
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			c := &fleettest.Cluster{Fleet: c.Fleet, T: t}
			leader := c.FindLeader()
			rest := c.Others(leader)
			before := elected(c)
			alone := kind.stage(c, leader, rest[0], rest[1])
			wait(c, cutFor)
			if alone != nil {
				answersAlone(c, alone)
			}
			whole(c, before)
		})
	}
	t.Run("flapping", func(t *testing.T) {
		c := &fleettest.Cluster{Fleet: c.Fleet, T: t}
		h := c.FindFollower()
		before := elected(c)
		for range 3 {
			c.Must(h.Cut())
			wait(c, 3*time.Second)
			c.Must(h.Heal(t.Context()))
			wait(c, 5*time.Second)
		}
		whole(c, before)
	})
}

// lose loses what one host sends to another.
func lose(c *fleettest.Cluster, from, to *lab.Host) {
	c.T.Helper()
	c.Must(to.Drop(c.T.Context(), from))
}

// wait lets time pass while a fault lasts.
func wait(c *fleettest.Cluster, d time.Duration) {
	c.T.Helper()
	c.Hold(d, func(context.Context) error { return nil })
}

// elected is how often the agents have said that they lead.
func elected(c *fleettest.Cluster) (n int) {
	for _, h := range c.Hosts {
		n += strings.Count(h.LogTail("agent", 16<<20), `msg="this node leads"`)
	}
	return n
}

// answersAlone checks what a voter says that reaches no majority.
func answersAlone(c *fleettest.Cluster, h *lab.Host) {
	c.T.Helper()
	begun := time.Now()
	s, err := fleet.Status(c.T.Context(), h)
	if err != nil || !s.Stale || s.Nodes != len(c.Hosts) {
		c.T.Errorf("%s, which is alone: %+v, %v", h.Name, s, err)
	}
	c.T.Logf("%s answered a read alone after %.1f s", h.Name, time.Since(begun).Seconds())
	c.Refused(h, 1, []string{"majority"}, "scale", fleettest.Web+"=7")
}

// whole heals everything and waits until the cluster is as it was.
func whole(c *fleettest.Cluster, elections int) {
	c.T.Helper()
	ctx := c.T.Context()
	for _, h := range c.Hosts {
		c.Must(h.Heal(ctx))
	}
	healed := time.Now()
	c.Must(c.AwaitReady(ctx, c.Hosts...))
	c.Settled(6, c.Hosts...)
	c.Within(fleettest.Soon, "all hosts to go by the same", func(ctx context.Context) error { return sameWords(ctx, c) })
	c.T.Logf("whole %.1f s after the heal", time.Since(healed).Seconds())
	c.Must(c.AwaitAnswers(ctx, fleettest.Port, c.Hosts...))
	if n := elected(c) - elections; n > 2 {
		c.T.Errorf("%d elections", n)
	}
}

// sameWords compares the names, gossip and tables of the hosts.
func sameWords(ctx context.Context, c *fleettest.Cluster) error {
	names := []string{}
	for _, h := range c.Hosts {
		names = append(names, h.Name)
	}
	slices.Sort(names)
	var table []string
	for i, h := range c.Hosts {
		l, err := local(ctx, h)
		if err != nil {
			return err
		}
		if i == 0 {
			table = l.Backends
		}
		for _, d := range []string{cmp.Diff(names, l.Members), cmp.Diff(names, l.Heard), cmp.Diff(table, l.Backends)} {
			if d != "" || len(table) != 6 {
				return fmt.Errorf("%s has %d backends and:\n%s", h.Name, len(l.Backends), d)
			}
		}
	}
	return nil
}

func local(ctx context.Context, h *lab.Host) (api.Local, error) {
	k, err := client.New("unix://" + h.Socket)
	if err != nil {
		return api.Local{}, err
	}
	defer k.Close()
	return k.Local(ctx)
}
