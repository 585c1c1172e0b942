package controller

import (
	"context"
	"maps"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/consensus/voters"
)

// Voters carries out changes of raft's configuration.
type Voters interface {
	// Roles is raft's configuration as this leader has it.
	Roles() map[cluster.NodeID]voters.Role
	// CaughtUp reports whether a non-voter holds the log.
	CaughtUp(id cluster.NodeID) bool
	// Change carries out one change, the node's own part in it included.
	Change(ctx context.Context, ch voters.Change) error
}

// Pace of the voters' loop.
const (
	votersEvery   = 500 * time.Millisecond
	votersTimeout = 20 * time.Second
	votersPause   = 3 * time.Second // after a change that failed or did not show
)

// keepVoters makes one change of the voters at a time, as long as one is due.
func (l *loop) keepVoters(ctx context.Context) {
	s := seating{loop: l, since: map[cluster.NodeID]time.Time{}}
	for ctx.Err() == nil {
		t := time.NewTimer(s.step(ctx))
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// seating is the voters' part of a term of leadership.
type seating struct {
	*loop
	since map[cluster.NodeID]time.Time // when each was first seen as a non-voter
	done  voters.Change                // the last change, if it was carried out just now
}

// step looks once, makes at most one change, and returns when to look again.
func (s *seating) step(ctx context.Context) time.Duration {
	now := time.Now()
	ch, why := voters.Plan(voters.Input{Now: now, Leader: s.cfg.Self, Members: s.members(s.cfg.Store.View(), now)})
	last := s.done
	s.done = voters.Change{}
	switch ch {
	case voters.Change{}:
		return votersEvery
	case last:
		return votersPause // it does not show yet
	}
	s.cfg.Logger.Info("changing the voters", "change", ch.Op, "node", ch.Node, "reason", why)
	ctx, cancel := context.WithTimeout(ctx, votersTimeout)
	defer cancel()
	if err := s.cfg.Voters.Change(ctx, ch); err != nil {
		s.cfg.Logger.Warn("the voters could not be changed", "change", ch.Op, "node", ch.Node, "error", err)
		return votersPause
	}
	s.done = ch
	return 0
}

func (s *seating) members(v state.View, now time.Time) []voters.Member {
	roles := maps.Clone(s.cfg.Voters.Roles())
	var out []voters.Member
	for n := range v.Nodes() {
		m := voters.Member{
			ID: n.ID, Zone: n.Labels["zone"], Condition: n.Condition, Since: n.ConditionSince,
			Availability: n.Availability, Joined: n.Joined, Role: roles[n.ID], Granted: n.Voter,
			Outdated: max(n.Commands, 1) < v.Level(),
		}
		out = append(out, m)
		delete(roles, n.ID)
	}
	for id, role := range roles {
		out = append(out, voters.Member{ID: id, Role: role, Gone: true})
	}
	for i := range out {
		m := &out[i]
		if m.Role != voters.Nonvoter {
			delete(s.since, m.ID)
			continue
		}
		if _, ok := s.since[m.ID]; !ok {
			s.since[m.ID] = now
		}
		m.RoleSince, m.CaughtUp = s.since[m.ID], s.cfg.Voters.CaughtUp(m.ID)
	}
	return out
}
