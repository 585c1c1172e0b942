//go:build linux

package faults

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
)

// TestStrangerAtAMembersAddress boots a host of another cluster where a member
// was: it is not taken for that member by anybody, its cluster does not merge
// with ours, and the leader's log says what is wrong.
func TestStrangerAtAMembersAddress(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(6)
	stranger := extraHost(c)
	c.Must(c.StartAgents(t.Context(), stranger))
	c.Run(stranger, "init")
	theirs, err := fleet.Status(t.Context(), stranger)
	c.Must(err)

	member := c.FindFollower()
	c.Must(member.Kill())
	c.AwaitState(member, "down")
	c.Must(stranger.Kill())
	own, last := member.Addr, 0
	_, err = fmt.Sscanf(own, "10.213.0.%d", &last)
	c.Must(err)
	c.Must(stranger.Readdress(last))
	c.Must(stranger.Boot(t.Context()))
	c.Must(c.StartAgents(t.Context(), stranger))

	leader := c.FindLeader()
	c.Within(fleettest.Soon, "the stranger's own cluster", func(ctx context.Context) error {
		s, err := fleet.Status(ctx, stranger)
		if err == nil && (s.ClusterID != theirs.ClusterID || s.Nodes != 1 || s.Leader != stranger.Name) {
			err = fmt.Errorf("cluster %s of %d nodes led by %q", s.ClusterID, s.Nodes, s.Leader)
		}
		return err
	})
	c.Within(fleettest.Soon, "the leader to meet the stranger", func(context.Context) error {
		if log := leader.LogTail("agent", 256<<10); !strings.Contains(log, "another host answers at the address of a member") {
			return fmt.Errorf("the log of %s does not say that another host has the address %s", leader.Name, own)
		}
		return nil
	})
	if nodes := c.Nodes(leader); len(nodes) != 3 || nodes[member.Name].State == "ready" {
		t.Errorf("%d nodes, %s is %s", len(nodes), member.Name, nodes[member.Name].State)
	}
	c.Settled(6, c.Others(member)...)
	c.Must(c.AwaitAnswers(t.Context(), fleettest.Port, c.Others(member)...))
	c.Must(stranger.Kill())
}
