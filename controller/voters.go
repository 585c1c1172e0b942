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
	// Follows reports up to where a voter's log is known to agree with this
	// leader's, and whether it answers and lacks nothing that is committed.
	Follows(id cluster.NodeID) (match uint64, keepsUp bool)
	// Change carries out one change, the node's own part in it included.
	Change(ctx context.Context, ch voters.Change) error
}

// Pace of changing the voters.
const (
	votersEvery   = time.Second
	votersTimeout = 20 * time.Second
	votersPause   = 3 * time.Second // after a change that failed or did not show
	// lostAfter is how long a node must say that it lost its log: it says so,
	// too, for a moment while it becomes a voter or ceases to be one.
	lostAfter = 3 * time.Second
)

// seating is the voters' part of a term of leadership.
type seating struct {
	*loop
	began     time.Time
	since     map[cluster.NodeID]time.Time // when each was first seen as a non-voter
	lost      map[cluster.NodeID]time.Time // since when each says that it lost its log
	behind    map[cluster.NodeID]lag       // the voters that do not keep up
	restarted map[cluster.NodeID]time.Time // when each was last told to start its raft again
	done      voters.Change                // the last change, if it was carried out just now
}

// lag is since when a voter has been at the same place without keeping up.
type lag struct {
	since time.Time
	match uint64
}

func (l *loop) newSeating() *seating {
	return &seating{
		loop: l, began: time.Now(), since: map[cluster.NodeID]time.Time{}, lost: map[cluster.NodeID]time.Time{},
		behind: map[cluster.NodeID]lag{}, restarted: map[cluster.NodeID]time.Time{},
	}
}

// step looks once, makes at most one change, and returns when to look again.
func (s *seating) step(ctx context.Context) time.Duration {
	now := time.Now()
	ch, why := voters.Plan(voters.Input{Now: now, Leader: s.cfg.Self, LedSince: s.began, Members: s.members(s.cfg.Store.View(), now)})
	last := s.done
	s.done = voters.Change{}
	switch ch {
	case voters.Change{}:
		return votersEvery
	case last:
		return votersPause // it does not show yet
	}
	if ch.Op == voters.Restart {
		s.restarted[ch.Node] = now
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
		s.noteVote(m, now)
		s.noteLag(m, now)
		if m.Role != voters.Nonvoter {
			delete(s.since, m.ID)
			continue
		}
		m.RoleSince, m.CaughtUp = first(s.since, m.ID, now), s.cfg.Voters.CaughtUp(m.ID)
	}
	return out
}

// noteVote adds what the node itself says of its log.
func (s *seating) noteVote(m *voters.Member, now time.Time) {
	said := s.vote(m.ID)
	if said == nil || !said.Lost || m.Role == voters.Outside {
		delete(s.lost, m.ID)
	} else {
		m.Lost = now.Sub(first(s.lost, m.ID, now)) >= lostAfter
	}
	if said != nil {
		m.Write = said.Write
	}
}

// noteLag adds since when a voter does not keep up: every step forward starts
// the clock again.
func (s *seating) noteLag(m *voters.Member, now time.Time) {
	m.Restarted = s.restarted[m.ID]
	if m.Role != voters.Voter || m.ID == s.cfg.Self {
		delete(s.behind, m.ID)
		return
	}
	match, keepsUp := s.cfg.Voters.Follows(m.ID)
	if keepsUp {
		delete(s.behind, m.ID)
		return
	}
	was, ok := s.behind[m.ID]
	if !ok || match > was.match {
		was = lag{now, match}
		s.behind[m.ID] = was
	}
	m.BehindSince = was.since
}

// first is when something was first seen, which is now if it was not before.
func first(seen map[cluster.NodeID]time.Time, id cluster.NodeID, now time.Time) time.Time {
	at, ok := seen[id]
	if !ok {
		at = now
		seen[id] = at
	}
	return at
}
