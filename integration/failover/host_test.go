//go:build linux

package failover

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

func TestFollowersHostDies(t *testing.T) {
	f := cluster(t)
	victim, err := f.Follower(t.Context())
	must(t, err)
	hostDies(t, f, victim, victim.Kill)
}

// TestAllProcessesDie ends everything on a host but its kernel, which refuses
// connections: that the agent's port is refused proves no container alive.
func TestAllProcessesDie(t *testing.T) {
	f := cluster(t)
	victim, err := f.Leader(t.Context())
	must(t, err)
	hostDies(t, f, victim, victim.KillProcesses)
}

func TestLeadersHostDies(t *testing.T) {
	f := cluster(t)
	victim, err := f.Leader(t.Context())
	must(t, err)
	hostDies(t, f, victim, victim.Kill)
}

// hostDies kills a host: its tasks run elsewhere, what ran elsewhere is left
// alone, and nobody counts the dead as running. When the host is back there is
// one container for each slot, and not one more.
func hostDies(t *testing.T, f *fleet.Fleet, victim *lab.Host, kill func() error) {
	t.Helper()
	const tasks = 9
	deployWeb(t, f, tasks)
	survivors := f.Others(victim)
	untouched, err := fleet.Containers(t.Context(), web, survivors...)
	must(t, err)
	before := lives(t, untouched)
	if len(before) == tasks {
		t.Fatalf("%s runs nothing: its death shows nothing", victim.Name)
	}

	died := time.Now()
	must(t, kill())
	all := awaitRunning(t, tasks, survivors...)
	t.Logf("all run again %.1f s after the death of %s", time.Since(died).Seconds(), victim.Name)
	must(t, f.AwaitAnswers(t.Context(), port, survivors...))
	nodeState(t, f, victim, "down")
	now := lives(t, all)
	for name, started := range before {
		if !now[name].Equal(started) {
			t.Errorf("%s was healthy and did not live on", name)
		}
	}

	must(t, f.Return(t.Context(), victim))
	must(t, f.AwaitReady(t.Context(), f.Hosts...))
	settled(t, f, tasks, f.Hosts...)
	must(t, f.AwaitAnswers(t.Context(), port, f.Hosts...))
}

// TestHostIsCutOff cuts a host's link: its containers are replaced, and end when
// it hears of that.
func TestHostIsCutOff(t *testing.T) {
	f := cluster(t)
	const tasks = 6
	deployWeb(t, f, tasks)
	victim, err := f.Follower(t.Context())
	must(t, err)
	must(t, victim.Cut())
	survivors := f.Others(victim)
	awaitRunning(t, tasks, survivors...)
	must(t, f.AwaitAnswers(t.Context(), port, survivors...))
	must(t, victim.Heal(t.Context()))
	must(t, f.AwaitReady(t.Context(), f.Hosts...))
	settled(t, f, tasks, f.Hosts...)
}

// TestAllAgentsDie ends all agents at once: no container notices.
func TestAllAgentsDie(t *testing.T) {
	f := cluster(t)
	before := lives(t, deployWeb(t, f, 6))
	for _, h := range f.Hosts {
		must(t, h.KillAgent(t.Context()))
	}
	sameLives(t, before, f.Hosts...)
	must(t, f.StartAgents(t.Context(), f.Hosts...))
	must(t, f.AwaitReady(t.Context(), f.Hosts...))
	must(t, f.AwaitAnswers(t.Context(), port, f.Hosts...))
	settled(t, f, 6, f.Hosts...)
	sameLives(t, before, f.Hosts...)
}

// TestAllHostsDie cuts the power of everything: all comes back as it was.
func TestAllHostsDie(t *testing.T) {
	f := cluster(t)
	deployWeb(t, f, 6)
	each(t, f.Hosts, func(_ context.Context, h *lab.Host) error { return h.Kill() })
	each(t, f.Hosts, f.Return)
	must(t, f.AwaitReady(t.Context(), f.Hosts...))
	settled(t, f, 6, f.Hosts...)
	must(t, f.AwaitAnswers(t.Context(), port, f.Hosts...))
}

// each does something to all hosts at the same time.
func each(t *testing.T, hosts []*lab.Host, do func(context.Context, *lab.Host) error) {
	t.Helper()
	g, ctx := errgroup.WithContext(t.Context())
	for _, h := range hosts {
		g.Go(func() error { return do(ctx, h) })
	}
	must(t, g.Wait())
}

// TestNoQuorum cuts two of three hosts off. The third one tells what it knows,
// says that it may be old, refuses changes with the reason, and its containers
// run on.
func TestNoQuorum(t *testing.T) {
	f := cluster(t)
	deployWeb(t, f, 6)
	leader, err := f.Leader(t.Context())
	must(t, err)
	cut := f.Others(leader)
	here, err := fleet.Containers(t.Context(), web, leader)
	must(t, err)
	before := lives(t, here)
	for _, h := range cut {
		must(t, h.Cut())
	}

	within(t, soon, "a stale answer", func(ctx context.Context) error {
		s, err := fleet.Status(ctx, leader)
		switch {
		case err != nil:
			return err
		case !s.Stale || s.Healthy || len(s.Problems) == 0:
			return fmt.Errorf("stale %v, healthy %v, problems %q", s.Stale, s.Healthy, s.Problems)
		case s.Tasks != 6 || s.Nodes != 3:
			return fmt.Errorf("%d tasks on %d nodes", s.Tasks, s.Nodes)
		}
		return nil
	})
	nodes, err := fleet.Nodes(t.Context(), leader)
	must(t, err)
	for name, n := range nodes {
		if n.CPUUsed != nil || n.MemoryUsed != nil {
			t.Errorf("%s shows measured use without a leader", name)
		}
	}
	refused(t, leader, 1, []string{"majority"}, "scale", web+"=7")
	must(t, f.AwaitAnswers(t.Context(), port, leader))
	sameLives(t, before, leader)

	for _, h := range cut {
		must(t, h.Heal(t.Context()))
	}
	must(t, f.AwaitReady(t.Context(), f.Hosts...))
	settled(t, f, 6, f.Hosts...)
	sameLives(t, before, leader)
}

// TestAgentDies kills agents alone: no container moves or restarts, requests to
// the other hosts are answered all the time, and the next agent adopts.
func TestAgentDies(t *testing.T) {
	f := cluster(t)
	before := lives(t, deployWeb(t, f, 6))
	for _, who := range []struct {
		name   string
		choose func(context.Context) (*lab.Host, error)
	}{
		{"of a follower", f.Follower},
		{"of the leader", f.Leader},
	} {
		t.Run(who.name, func(t *testing.T) {
			victim, err := who.choose(t.Context())
			must(t, err)
			stop := requests(t, f, f.Others(victim)...)
			must(t, victim.KillAgent(t.Context()))
			nodeState(t, f, victim, "away")
			// The time in which the death of a host would have been acted on.
			hold(t, 5*time.Second, func(ctx context.Context) error {
				running, err := fleet.Containers(ctx, web, f.Hosts...)
				if err == nil && len(running) != len(before) {
					err = fmt.Errorf("%d containers run", len(running))
				}
				return err
			})
			noneFailed(t, stop)
			sameLives(t, before, f.Hosts...)

			must(t, f.StartAgents(t.Context(), victim))
			must(t, f.AwaitReady(t.Context(), f.Hosts...))
			must(t, f.AwaitAnswers(t.Context(), port, f.Hosts...))
			settled(t, f, 6, f.Hosts...)
			sameLives(t, before, f.Hosts...)
		})
	}
}

// hold fails the test if a condition stops to hold within the time.
func hold(t *testing.T, d time.Duration, holds func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := holds(ctx); err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
