//go:build linux

package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// TestDamagedLogComesBack damages a voter's log while its agent is dead, in the
// ways of a power cut and of a careless hand. Started again it votes again, by
// itself, and the containers do not notice.
func TestDamagedLogComesBack(t *testing.T) {
	c := cluster(t)
	before := c.Lives(c.DeployWeb(6))
	for name, damage := range map[string]func(log string) error{
		"cut short": func(log string) error { return os.Truncate(log, 5000) },
		"rubbish":   func(log string) error { return os.WriteFile(log, make([]byte, 1<<16), 0o600) },
		"gone":      func(log string) error { return os.RemoveAll(filepath.Dir(log)) },
	} {
		h := c.FindFollower()
		if name == "gone" {
			h = c.FindLeader()
		}
		c.Must(h.KillAgent(t.Context()))
		c.Must(damage(filepath.Join(h.DataDir, "consensus", "raft.db")))
		c.Must(c.StartAgents(t.Context(), h))
		if name != "gone" {
			awaitAside(c, h)
		}
		awaitVote(c, h)
		c.Settled(6, c.Hosts...)

		// Its vote counts: without it there is no majority now.
		c.Must(c.Others(h)[1].KillAgent(t.Context()))
		c.Within(fleettest.Soon, "a write with the vote of "+h.Name, func(ctx context.Context) error {
			_, err := fleet.Run(ctx, h, "token", "create", "-q", "--ttl", "1m")
			return err
		})
		c.Must(c.StartAgents(t.Context(), c.Others(h)[1]))
		c.Must(c.AwaitReady(t.Context(), c.Hosts...))
	}
	c.SameLives(before, c.Hosts...)
}

// awaitAside waits until the damaged files are kept beside, and removes them.
func awaitAside(c *fleettest.Cluster, h *lab.Host) {
	c.T.Helper()
	c.Within(fleettest.Soon, "the damaged files to be kept", func(context.Context) error {
		aside, err := filepath.Glob(filepath.Join(h.DataDir, "consensus.broken-*"))
		if err == nil && len(aside) == 0 {
			err = errors.New("there are none")
		}
		for _, dir := range aside {
			err = errors.Join(err, os.RemoveAll(dir))
		}
		return err
	})
}

// awaitVote waits until the host votes, as its own agent says, and three do.
func awaitVote(c *fleettest.Cluster, h *lab.Host) {
	c.T.Helper()
	c.Within(fleettest.Soon, h.Name+" to vote again", func(ctx context.Context) error {
		if _, err := os.Stat(filepath.Join(h.DataDir, "consensus", "raft.db")); err != nil {
			return err
		}
		nodes, err := fleet.Nodes(ctx, c.Others(h)[0])
		if err != nil {
			return err
		}
		voters := 0
		for _, n := range nodes {
			if n.Role != "worker" {
				voters++
			}
		}
		if voters != 3 {
			return fmt.Errorf("%d nodes vote", voters)
		}
		return nil
	})
}
