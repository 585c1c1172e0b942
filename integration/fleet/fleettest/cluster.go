//go:build linux

package fleettest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

// Soon bounds what a healthy cluster does in a few seconds.
const Soon = 30 * time.Second

// Cluster is a fleet in the hands of one test.
type Cluster struct {
	*fleet.Fleet
	T *testing.T
}

// Must ends the test on an error.
func (c *Cluster) Must(err error) {
	c.T.Helper()
	if err != nil {
		c.T.Fatal(err)
	}
}

// Run runs a command line that must succeed, and returns its standard output.
func (c *Cluster) Run(h *lab.Host, args ...string) string {
	c.T.Helper()
	begun := time.Now()
	out, err := fleet.Run(c.T.Context(), h, args...)
	c.T.Logf("%s$ muster %s    # %.1f s", h.Name, strings.Join(args, " "), time.Since(begun).Seconds())
	c.Must(err)
	return out
}

// Refused runs a command line that must fail with the exit code and say all of
// the words, and returns what it said.
func (c *Cluster) Refused(h *lab.Host, code int, words []string, args ...string) string {
	c.T.Helper()
	begun := time.Now()
	r := h.CLI(c.T.Context(), args...)
	c.T.Logf("%s$ muster %s    # exit %d, %.1f s", h.Name, strings.Join(args, " "), r.ExitCode, time.Since(begun).Seconds())
	if r.ExitCode != code {
		c.T.Errorf("muster %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.ExitCode, code, r.Stdout, r.Stderr)
	}
	said := r.Stdout + r.Stderr
	for _, word := range words {
		if !strings.Contains(said, word) {
			c.T.Errorf("muster %s does not say %q:\n%s", strings.Join(args, " "), word, said)
		}
	}
	return said
}

// Within waits until holds returns nil.
func (c *Cluster) Within(limit time.Duration, what string, holds func(context.Context) error) {
	c.T.Helper()
	c.Must(fleet.Within(c.T.Context(), limit, what, holds))
}

// Hold fails the test if a condition stops to hold within the time.
func (c *Cluster) Hold(d time.Duration, holds func(context.Context) error) {
	c.T.Helper()
	ctx, cancel := context.WithTimeout(c.T.Context(), d)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := holds(ctx); err != nil && ctx.Err() == nil {
			c.T.Fatal(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// File writes a file for the test's time and returns its path.
func (c *Cluster) File(name, text string) string {
	c.T.Helper()
	path := filepath.Join(c.T.TempDir(), name)
	c.Must(os.WriteFile(path, []byte(text), 0o600))
	return path
}

// FindLeader is the host that leads.
func (c *Cluster) FindLeader() *lab.Host {
	c.T.Helper()
	h, err := c.Leader(c.T.Context())
	c.Must(err)
	return h
}

// FindFollower is a host that does not lead.
func (c *Cluster) FindFollower() *lab.Host {
	c.T.Helper()
	h, err := c.Follower(c.T.Context())
	c.Must(err)
	return h
}

// Nodes are the nodes by name, as h sees them.
func (c *Cluster) Nodes(h *lab.Host) map[string]api.Node {
	c.T.Helper()
	nodes, err := fleet.Nodes(c.T.Context(), h)
	c.Must(err)
	return nodes
}

// AwaitState waits until another host sees the node in a state.
func (c *Cluster) AwaitState(node *lab.Host, state string) {
	c.T.Helper()
	c.Within(Soon, fmt.Sprintf("%s to be %s", node.Name, state), func(ctx context.Context) error {
		nodes, err := fleet.Nodes(ctx, c.Others(node)[0])
		if err == nil && nodes[node.Name].State != state {
			err = fmt.Errorf("it is %q", nodes[node.Name].State)
		}
		return err
	})
}

// AwaitProblem waits until h's status names a problem with all of the words.
func (c *Cluster) AwaitProblem(limit time.Duration, h *lab.Host, words ...string) {
	c.T.Helper()
	c.Within(limit, fmt.Sprintf("the problem %q", words), func(ctx context.Context) error {
		s, err := fleet.Status(ctx, h)
		if err != nil {
			return err
		}
	next:
		for _, problem := range s.Problems {
			for _, word := range words {
				if !strings.Contains(problem, word) {
					continue next
				}
			}
			return nil
		}
		return fmt.Errorf("problems: %q", s.Problems)
	})
}

// AwaitHealthy waits until h knows of no problem.
func (c *Cluster) AwaitHealthy(h *lab.Host) {
	c.T.Helper()
	c.Within(Soon, "a healthy cluster", func(ctx context.Context) error {
		s, err := fleet.Status(ctx, h)
		if err == nil && !s.Healthy {
			err = fmt.Errorf("problems: %q", s.Problems)
		}
		return err
	})
}
