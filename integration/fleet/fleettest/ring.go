//go:build linux

package fleettest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/lab"
)

// Ring is a cluster that the tests of a package share. It is made when the first
// test needs it; TestMain closes it.
type Ring struct {
	Hosts   int
	Options lab.Options // Binary is built

	fleet  *fleet.Fleet
	binDir string
}

// Close ends the hosts, if any test needed them.
func (r *Ring) Close() error {
	if r.fleet == nil {
		return nil
	}
	return errors.Join(r.fleet.Lab.Close(), os.RemoveAll(r.binDir))
}

// Cluster returns a healthy cluster with nothing deployed, whatever the test
// before has left. It skips the test where the lab cannot run.
func (r *Ring) Cluster(t *testing.T) *Cluster {
	t.Helper()
	needLab(t)
	if r.fleet == nil {
		r.fleet = r.make(t)
	}
	c := &Cluster{Fleet: r.fleet, T: t}
	c.repair()
	c.tellOfFailure()
	return c
}

func needLab(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("tests on Docker hosts are left out of -short runs")
	}
	if err := lab.Available(); err != nil {
		t.Skip(err)
	}
}

// tellOfFailure has a test that fails end with what each host knows.
func (c *Cluster) tellOfFailure() {
	c.T.Cleanup(func() {
		if c.T.Failed() {
			c.tellAll()
		}
	})
}

func (r *Ring) make(t *testing.T) *fleet.Fleet {
	t.Helper()
	dir, err := os.MkdirTemp("", "muster-"+r.Options.Name+"-") //nolint:usetesting // it outlives the test that makes the ring
	if err != nil {
		t.Fatal(err)
	}
	r.binDir = dir
	r.Options.Binary = filepath.Join(dir, "muster")
	if err := fleet.Build(t.Context(), r.Options.Binary); err != nil {
		t.Fatal(err)
	}
	l, err := lab.New(t.Context(), r.Options)
	if err != nil {
		t.Fatal(err)
	}
	f, err := fleet.New(t.Context(), l, r.Hosts)
	if err == nil {
		err = f.Form(t.Context())
	}
	if err != nil {
		t.Fatal(errors.Join(err, l.Close()))
	}
	return f
}

// repair gives every host power, engine, link, room on its disk and agent, takes
// hosts in that have left, lets every node take tasks, and removes every stack.
func (c *Cluster) repair() {
	c.T.Helper()
	ctx := c.T.Context()
	for _, h := range c.Hosts {
		if !h.Up() {
			c.Must(h.Boot(ctx))
		}
		c.Must(h.Heal(ctx))
		c.Must(h.Mend(ctx))
		if h.AgentPID() == 0 {
			c.Must(c.StartAgents(ctx, h))
		}
	}
	c.takeIn()
	c.Must(c.AwaitReady(ctx, c.Hosts...))
	for name, n := range c.Nodes(c.Hosts[0]) {
		if n.Availability != "active" {
			c.Run(c.Hosts[0], "node", "uncordon", name)
		}
	}
	for _, stack := range c.stacks() {
		c.Run(c.Hosts[0], "rm", "-y", stack)
	}
	_, err := fleet.AwaitRunning(ctx, "", 0, c.Hosts...)
	c.Must(err)
}

// takeIn joins the hosts that are in no cluster.
func (c *Cluster) takeIn() {
	c.T.Helper()
	var member *lab.Host
	var idle []*lab.Host
	for _, h := range c.Hosts {
		if r := h.CLI(c.T.Context(), "status"); strings.Contains(r.Stderr, "not in a cluster") {
			idle = append(idle, h)
		} else {
			member = h
		}
	}
	for _, h := range idle {
		if member == nil {
			c.T.Fatal("no host is in a cluster")
		}
		token := strings.TrimSpace(c.Run(member, "token", "create", "-q"))
		c.Run(h, "join", member.Addr, "--token", token)
	}
}

func (c *Cluster) stacks() []string {
	c.T.Helper()
	var stacks []string
	for name := range strings.FieldsSeq(c.Run(c.Hosts[0], "ls", "-q")) {
		stack, _, _ := strings.Cut(name, "/")
		if len(stacks) == 0 || stacks[len(stacks)-1] != stack {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// tellAll adds to a failure what each host knows.
func (c *Cluster) tellAll() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, h := range c.Up() {
		r := h.CLI(ctx, "ps", "-a", "-o", "wide")
		c.T.Logf("--- %s: ps -a\n%s%s", h.Name, r.Stdout, r.Stderr)
	}
	for _, h := range c.Hosts {
		c.T.Logf("--- %s: log of the agent\n%s", h.Name, h.LogTail("agent", 6<<10))
	}
}
