//go:build linux

package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
		votes := promotions(c, h)
		c.Must(h.KillAgent(t.Context()))
		c.Must(damage(filepath.Join(h.DataDir, "consensus", "raft.db")))
		c.Must(c.StartAgents(t.Context(), h))
		if name != "gone" {
			awaitAside(c, h)
		}
		awaitVote(c, h, votes)
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

// awaitVote waits until a leader has given the host a vote once more than before,
// and it holds a log.
func awaitVote(c *fleettest.Cluster, h *lab.Host, before int) {
	c.T.Helper()
	c.Within(fleettest.Soon, h.Name+" to vote again", func(context.Context) error {
		if promotions(c, h) <= before {
			return errors.New("no leader has made it a voter")
		}
		_, err := os.Stat(filepath.Join(h.DataDir, "consensus", "raft.db"))
		return err
	})
}

// promotions counts how often the leaders' logs say that the host was promoted.
func promotions(c *fleettest.Cluster, h *lab.Host) (n int) {
	c.T.Helper()
	id, err := os.ReadFile(filepath.Join(h.DataDir, "node-id"))
	c.Must(err)
	for _, other := range c.Hosts {
		n += strings.Count(other.LogTail("agent", 4<<20), fmt.Sprintf("change=promote node=%s ", strings.TrimSpace(string(id))))
	}
	return n
}
