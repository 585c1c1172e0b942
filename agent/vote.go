package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/security"
)

// Promote makes this node a member of raft's configuration on a voter's word.
func (m *member) Promote(_ context.Context, p api.Promote) error {
	if err := m.voting.take(m.ctx); err != nil {
		return fmt.Errorf("become a voter: %w", err)
	}
	defer m.voting.done()
	if m.voter.Load() != nil {
		return nil
	}
	key, err := security.ParseClusterKey(p.ClusterKey)
	if err != nil {
		return err
	}
	m.learnVoters(p.Voters)
	// What an earlier membership left behind belongs to another configuration.
	if err := m.a.forgetLog(); err != nil {
		return err
	}
	if err := security.SaveClusterKey(m.a.data.identityDir(), key); err != nil {
		return err
	}
	m.log.Info("this node becomes a voter")
	return m.startVoter(key, p.Index, false)
}

// learnVoters takes in the voters of a promotion, which this node's feed may
// not have told it yet.
func (m *member) learnVoters(voters []api.Member) {
	members := m.Members()
	for _, v := range voters {
		found := false
		for i := range members {
			if members[i].ID == v.ID {
				members[i], found = v, true
			}
		}
		if !found {
			members = append(members, v)
		}
	}
	if err := m.setMembers(members); err != nil {
		m.log.Warn("the members could not be written to disk", "error", err)
	}
}

// Demote makes this node a worker again.
func (m *member) Demote(context.Context) error {
	if err := m.voting.take(m.ctx); err != nil {
		return fmt.Errorf("become a worker: %w", err)
	}
	defer m.voting.done()
	if m.voter.Load() == nil && !m.disk.endRest() {
		return nil
	}
	m.log.Info("this node becomes a worker")
	m.stopVoter()
	if err := security.RemoveClusterKey(m.a.data.identityDir()); err != nil {
		return err
	}
	return m.a.forgetLog()
}

// closeLimit is how long raft may take to end before the process does.
const closeLimit = 15 * time.Second

// Revote closes this voter's log and opens it again, on the leader's word that it
// has stopped to follow. What does not even close ends the process.
func (m *member) Revote(context.Context) error {
	if err := m.voting.take(m.ctx); err != nil {
		return fmt.Errorf("open the log again: %w", err)
	}
	defer m.voting.done()
	if m.voter.Load() == nil {
		return nil // it rests, or is lost: the heartbeat says which
	}
	m.log.Warn("this voter has not followed the log for a while: its raft starts again")
	stuck := time.AfterFunc(closeLimit, func() {
		m.a.fail(errors.New("this voter's raft has stopped to follow the log, and does not end"))
	})
	defer stuck.Stop()
	m.stopVoter()
	if err := m.resumeVoter(); err != nil {
		m.a.fail(err)
		return err
	}
	return nil
}

// vote is what the leader should know of this node's part in the log.
func (m *member) vote() *api.Vote {
	if v := m.voter.Load(); v != nil {
		return &api.Vote{Write: v.store.WriteTime()}
	}
	if k, ok := m.member(m.self); ok && k.Voter && !m.disk.rests() {
		return &api.Vote{Lost: true}
	}
	return nil
}
