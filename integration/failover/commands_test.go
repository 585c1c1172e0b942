//go:build linux

package failover

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
)

// TestThreeCommands is the first thing that a user does: init, join, deploy. The
// cluster that tests share was made by the first two.
func TestThreeCommands(t *testing.T) {
	c := cluster(t)
	var nodes []api.Node
	c.Must(json.Unmarshal([]byte(c.Run(c.Hosts[2], "node", "ls", "-o", "json")), &nodes))
	leaders := 0
	for _, n := range nodes {
		if n.Role == "leader" {
			leaders++
		}
		if n.State != "ready" || n.Availability != "active" || n.CPUs != 2 || n.Memory != 2<<30 {
			t.Errorf("%+v", n)
		}
	}
	if len(nodes) != 3 || leaders != 1 {
		t.Errorf("%d nodes, %d leaders", len(nodes), leaders)
	}

	out := c.Run(c.Hosts[2], "deploy", "-f", "../../configs/examples/hello.yaml")
	if !strings.Contains(out, "hello/web") {
		t.Errorf("deploy does not name the service:\n%s", out)
	}
	var tasks []api.Task
	c.Must(json.Unmarshal([]byte(c.Run(c.Hosts[0], "ps", "-o", "json")), &tasks))
	perNode := make(map[string]int)
	for _, task := range tasks {
		if task.State != "running" || task.Desired != "running" || task.Service != "hello/web" {
			t.Errorf("%+v", task)
		}
		perNode[task.Node]++
	}
	if len(tasks) != 6 || len(perNode) != 3 {
		t.Errorf("%d tasks: %v", len(tasks), perNode)
	}
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Hosts...))
	for _, h := range c.Hosts {
		answered := make(map[string]bool)
		for range 30 {
			a, err := c.Ask(t.Context(), h, fleettest.Port, 2*time.Second)
			c.Must(err)
			answered[a.Task] = true
		}
		if len(answered) < 3 {
			t.Errorf("%s spreads 30 requests over %d tasks", h.Name, len(answered))
		}
	}
}

func TestDeployedAgainChangesNothing(t *testing.T) {
	c := cluster(t)
	before := c.Lives(c.DeployWeb(3))
	out := c.Run(c.Hosts[0], "deploy", "-f", c.File("compose.yaml", fleettest.Stack(3)))
	if !strings.Contains(out, "unchanged") {
		t.Errorf("deploying the same again does not say that nothing changed:\n%s", out)
	}
	c.SameLives(before, c.Hosts...)
}

func TestInitTwice(t *testing.T) {
	c := cluster(t)
	c.Refused(c.Hosts[0], 1, []string{"in cluster", "already", "muster leave"}, "init")
}

// TestTwoAgents starts a second agent on the data of one that runs.
func TestTwoAgents(t *testing.T) {
	c := cluster(t)
	h := c.Hosts[0]
	c.Refused(h, 1, []string{h.DataDir, "another agent"},
		"agent", "--data-dir", h.DataDir, "--socket", h.Dir+"/second.sock", "--port", "7080", "--gossip-port", "7081",
		"--docker-host", "unix://"+h.DockerSocket, "--advertise", h.Addr)
	if h.AgentPID() == 0 {
		t.Error("the first agent has ended")
	}
}

// TestRefusedJoins tries to join with tokens that do not open the door, and
// through an address where nobody is.
func TestRefusedJoins(t *testing.T) {
	c := cluster(t)
	ctx := t.Context()
	strangers, err := c.Lab.StartHosts(ctx, 2)
	c.Must(err)
	c.Must(c.StartAgents(ctx, strangers...))
	t.Cleanup(func() {
		for _, h := range strangers {
			_ = h.Kill()
		}
	})
	stranger, other := strangers[0], strangers[1]
	c.Run(other, "init")
	foreign := strings.TrimSpace(c.Run(other, "token", "create", "-q"))
	good := token(c)
	door := c.Hosts[0].Addr

	revoked := token(c)
	var kept []api.Token
	c.Must(json.Unmarshal([]byte(c.Run(c.Hosts[0], "token", "ls", "-o", "json")), &kept))
	newest := kept[0]
	for _, k := range kept {
		if k.Created.After(newest.Created) {
			newest = k
		}
	}
	c.Run(c.Hosts[1], "token", "rm", newest.ID)

	short := token(c, "--ttl", "1s")
	expires := time.Now().Add(time.Second)
	c.Within(fleettest.Soon, "the token to expire", func(context.Context) error {
		if left := time.Until(expires); left > 0 {
			return fmt.Errorf("%v are left", left)
		}
		return nil
	})
	for _, try := range []struct {
		name, addr, token string
		words             []string
	}{
		{"no token", door, "sesame", []string{"MUSTER-"}},
		{"cut short", door, good[:len(good)-5], []string{"cut short"}},
		{"foreign", door, foreign, []string{"muster token create"}},
		{"revoked", door, revoked, []string{"revoked", "muster token create"}},
		{"expired", door, short, []string{"expired", "muster token create"}},
		{"nobody there", "10.213.0.250", good, []string{"10.213.0.250", "check the address"}},
		{"nobody listens", "10.213.0.1", good, []string{"10.213.0.1", "check the address"}},
	} {
		t.Run(try.name, func(t *testing.T) {
			c := &fleettest.Cluster{Fleet: c.Fleet, T: t}
			c.Refused(stranger, 1, try.words, "join", try.addr, "--token", try.token)
		})
	}
	c.Refused(other, 1, []string{"already", "muster leave"}, "join", door, "--token", good)
	if nodes, err := fleet.Nodes(ctx, c.Hosts[0]); err != nil || len(nodes) != 3 {
		t.Errorf("%d nodes after refused joins, %v", len(nodes), err)
	}
}

// TestTokenUsedUp lets two hosts race for a token that admits one, then takes
// the winner out again.
func TestTokenUsedUp(t *testing.T) {
	c := cluster(t)
	ctx := t.Context()
	hosts, err := c.Lab.StartHosts(ctx, 2)
	c.Must(err)
	c.Must(c.StartAgents(ctx, hosts...))
	once := token(c, "--uses", "1")
	codes := make(chan error, len(hosts))
	for _, h := range hosts {
		go func() {
			_, err := fleet.Run(ctx, h, "join", c.Hosts[0].Addr, "--token", once)
			codes <- err
		}()
	}
	first, second := <-codes, <-codes
	if (first == nil) == (second == nil) {
		t.Errorf("a token for one host: %v and %v", first, second)
	}
	for _, h := range hosts {
		if s, err := fleet.Status(ctx, h); err == nil && s.Nodes == 4 {
			c.Run(h, "leave", "-y")
		}
		c.Must(h.Kill())
	}
	c.Within(fleettest.Soon, "three nodes", func(ctx context.Context) error {
		nodes, err := fleet.Nodes(ctx, c.Hosts[0])
		if err == nil && len(nodes) != 3 {
			err = fmt.Errorf("%d nodes", len(nodes))
		}
		return err
	})
}

func token(c *fleettest.Cluster, flags ...string) string {
	c.T.Helper()
	token, err := c.Token(c.T.Context(), flags...)
	c.Must(err)
	return token
}
