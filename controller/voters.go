package controller

import (
	"context"
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
	votersPause   = 3 * time.Second // after a change that failed
)

// keepVoters makes one change of the voters at a time, as long as one is due.
func (l *loop) keepVoters(ctx context.Context) {
	since := map[cluster.NodeID]time.Time{} // when each was first seen as a non-voter
	tick := time.NewTicker(votersEvery)
	defer tick.Stop()
	for {
		pause := l.changeVoters(ctx, since)
		if pause > 0 {
			tick.Reset(pause)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			tick.Reset(votersEvery)
		}
	}
}

// changeVoters looks once; it returns how long to wait if that is not the usual.
func (l *loop) changeVoters(ctx context.Context, since map[cluster.NodeID]time.Time) time.Duration {
	now := time.Now()
	ch, why := voters.Plan(voters.Input{Now: now, Leader: l.cfg.Self, Members: l.voterMembers(l.cfg.Store.View(), since, now)})
	if ch.Op == voters.None {
		return 0
	}
	l.cfg.Logger.Info("changing the voters", "change", ch.Op, "node", ch.Node, "reason", why)
	ctx, cancel := context.WithTimeout(ctx, votersTimeout)
	defer cancel()
	if err := l.cfg.Voters.Change(ctx, ch); err != nil {
		l.cfg.Logger.Warn("the voters could not be changed", "change", ch.Op, "node", ch.Node, "error", err)
		return votersPause
	}
	return time.Millisecond
}

func (l *loop) voterMembers(v state.View, since map[cluster.NodeID]time.Time, now time.Time) []voters.Member {
	roles := l.cfg.Voters.Roles()
	var out []voters.Member
	for n := range v.Nodes() {
		m := voters.Member{
			ID: n.ID, Zone: n.Labels["zone"], Condition: n.Condition, Since: n.ConditionSince,
			Availability: n.Availability, Joined: n.Joined, Role: roles[n.ID],
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
			delete(since, m.ID)
			continue
		}
		if _, ok := since[m.ID]; !ok {
			since[m.ID] = now
		}
		m.RoleSince, m.CaughtUp = since[m.ID], l.cfg.Voters.CaughtUp(m.ID)
	}
	return out
}
