package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/consensus"
)

// Patience with the cluster that a host leaves.
const (
	leaveTimeout = 50 * time.Second
	forceTimeout = 5 * time.Second
)

// Leave takes this host out of its cluster: its tasks are moved, it hands over
// leadership and its vote, it is removed, and its identity is wiped. With Force
// it goes although that could not be done in a few seconds.
func (a *Agent) Leave(ctx context.Context, l api.Leave) error {
	if err := a.moves(ctx); err != nil {
		return err
	}
	defer a.moving.done()
	m := a.member
	if m == nil {
		return api.Errorf(api.CodeNotMember, "this host is in no cluster")
	}
	limit := leaveTimeout
	if l.Force {
		limit = forceTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if len(m.Members()) > 1 {
		if err := m.depart(ctx); err != nil && !l.Force {
			return api.Errorf(api.CodeConflict, "leave the cluster: %v", err).
				WithHint("run it again to go on waiting, or add --force to leave at once")
		}
	}
	a.end(m)
	a.log.Info("this host left its cluster")
	return nil
}

// end makes the host idle again: nothing of the cluster stays on it. The turn is
// the caller's.
func (a *Agent) end(m *member) {
	m.stop()
	a.member = nil
	a.clearTraffic()
	m.removeContainers()
	a.forget()
}

// expel ends the membership of a host that the cluster removed. Its tasks
// run elsewhere by now.
func (a *Agent) expel(m *member) {
	a.moving.wait()
	defer a.moving.done()
	if a.member != m {
		return
	}
	a.log.Error("this host was removed from its cluster; its containers are stopped and it is idle now", "cluster", m.identity.Load().ClusterID)
	a.end(m)
}

// depart drains this node, hands over leadership and asks to be removed.
func (m *member) depart(ctx context.Context) error {
	drain := api.SetAvailability{Availability: cluster.Drained}
	if err := m.userCall(ctx, http.MethodPost, "/v1/nodes/"+url.PathEscape(string(m.self))+"/availability", drain, nil); err != nil {
		return fmt.Errorf("drain this node: %w", err)
	}
	for {
		var d api.NodeDetail
		if err := m.userCall(ctx, http.MethodGet, "/v1/nodes/"+url.PathEscape(string(m.self)), nil, &d); err != nil {
			return fmt.Errorf("look at this node: %w", err)
		}
		if len(d.TaskList) == 0 {
			break
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%d tasks are still here, the first is %s slot %d: %s", len(d.TaskList), d.TaskList[0].Service, d.TaskList[0].Slot, d.TaskList[0].State)
		}
		sleep(ctx, heartbeatEvery)
	}
	if err := m.handOver(ctx); err != nil {
		return err
	}
	for {
		err := m.uplink.call(ctx, "/v1/node/leave", struct{}{}, nil)
		var e *api.Error
		if errors.As(err, &e) && e.Code == api.CodeRemoved {
			err = nil // an earlier call had its effect
		}
		if err == nil {
			m.keepVoting(ctx)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		sleep(ctx, heartbeatRetry)
	}
}

// keepVoting waits until raft does without this node, or for a while: the others
// may need its vote to agree on just that.
func (m *member) keepVoting(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, forceTimeout)
	defer cancel()
	for ctx.Err() == nil {
		v := m.voter.Load()
		if v == nil || !slices.ContainsFunc(v.store.Servers(), func(s consensus.Server) bool { return s.ID == m.self }) {
			return
		}
		sleep(ctx, heartbeatRetry)
	}
}

// handOver waits until another node leads. The leader's own loop moves the vote
// away from a drained node where that is needed first.
func (m *member) handOver(ctx context.Context) error {
	for {
		v := m.voter.Load()
		if v == nil {
			return nil
		}
		if _, me := v.store.Leader(); !me {
			return nil
		}
		err := v.store.TransferLeadership(ctx, "")
		if err != nil && ctx.Err() != nil {
			return fmt.Errorf("hand over leadership: %w", err)
		}
		sleep(ctx, heartbeatRetry)
	}
}

// userCall sends a user's call to the leader on behalf of this host. It waits
// while there is none.
func (m *member) userCall(ctx context.Context, method, path string, in, out any) error {
	for {
		err := error(errNoVoter)
		if leader := m.LeaderID(); leader != "" {
			err = m.peers.Call(ctx, leader, method, path, in, out)
		}
		if err == nil || isAnswer(err) || ctx.Err() != nil {
			return err
		}
		sleep(ctx, heartbeatRetry)
	}
}

// removeContainers takes down what the cluster ran here.
func (m *member) removeContainers() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	clusterID := m.identity.Load().ClusterID
	list, err := m.a.host.Engine.List(ctx, clusterID)
	if err != nil {
		m.log.Warn("the cluster's containers could not be listed", "error", err)
		return
	}
	for _, c := range list {
		if err := m.a.host.Engine.Stop(ctx, c.ID, cluster.DefaultStopGrace); err != nil {
			m.log.Warn("a container could not be stopped", "container", c.Name, "error", err)
		}
		if err := m.a.host.Engine.Remove(ctx, c.ID); err != nil {
			m.log.Warn("a container could not be removed", "container", c.Name, "error", err)
		}
	}
	if err := m.a.host.Engine.RemoveNetworks(ctx, clusterID, nil); err != nil {
		m.log.Warn("the cluster's networks could not be removed", "error", err)
	}
}
