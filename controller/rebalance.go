package controller

import (
	"context"
	"slices"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement"
)

const (
	// rebalanceEvery is how often the leader looks whether tasks of services that
	// leave it to the leader would be better elsewhere.
	rebalanceEvery = time.Minute
	// rebalanceRest is how long all nodes are to be ready for it: one that comes
	// and goes stirs nothing.
	rebalanceRest = time.Minute
)

// Proposals are the moves that somebody who asks may have made. The services are
// nil for all.
func Proposals(v state.View, f Facts, now time.Time, services []cluster.ServiceID, ask api.Rebalance) api.RebalancePlan {
	out := api.RebalancePlan{Moves: []api.PlannedMove{}, Left: []api.LeftService{}}
	tenants := tenantsOf(v, f, now, func(s *cluster.Service) bool {
		if services != nil && !slices.Contains(services, s.ID) {
			return false
		}
		why := unmoved(v, s)
		if why == "" && !ask.Stateful && s.Spec.Template.Stateful() {
			why = "its tasks have volumes or binds, which stay behind; add --stateful to move them all the same"
		}
		if why != "" {
			out.Left = append(out.Left, api.LeftService{Service: string(s.ID), Reason: why})
		}
		return why == ""
	})
	for _, m := range placement.Rebalance(f.snapshotFor(v, tenants, now), tenants, placement.Rebalancing{Pack: ask.Pack}) {
		t, _ := v.Task(m.Task)
		out.Moves = append(out.Moves, api.PlannedMove{
			Task: string(m.Task), Service: string(m.Service), Slot: t.Slot, Gain: float64(m.Gain) / 1e6, Why: m.Why,
			From: nodeName(v, m.From), FromID: string(m.From), To: nodeName(v, m.To), ToID: string(m.To),
		})
	}
	return out
}

// OwnMoves are those that a leader makes by itself now: one a service, and none
// while others are under way.
func OwnMoves(v state.View, f Facts, now time.Time) (m state.Move) {
	if unrested(v, now) > 0 {
		return m
	}
	for t := range v.Tasks() {
		if t.Desired == cluster.Running && t.Leaving(now) {
			return m
		}
	}
	tenants := tenantsOf(v, f, now, func(s *cluster.Service) bool {
		return s.Spec.Placement.Rebalance == cluster.RebalanceAuto && unmoved(v, s) == "" && !s.Spec.Template.Stateful()
	})
	if !slices.ContainsFunc(tenants, func(t placement.Tenant) bool { return !t.Stays }) {
		return m
	}
	snap, budget := f.snapshotFor(v, tenants, now), placement.Rebalancing{Moves: moveRate, PerService: 1}
	moves := placement.Shed(snap, tenants, budget)
	if len(moves) == 0 {
		moves = placement.Rebalance(snap, tenants, budget)
	}
	for _, one := range moves {
		m.Tasks = append(m.Tasks, state.MoveTask{Task: one.Task, From: one.From, To: one.To, Why: one.Why})
	}
	m.Note.Author = "the leader"
	return m
}

// unrested is how long it is until all nodes that are ready have been so for
// rebalanceRest.
func unrested(v state.View, now time.Time) (d time.Duration) {
	for n := range v.Nodes() {
		if n.Condition == cluster.Ready {
			d = max(d, n.ConditionSince.Add(rebalanceRest).Sub(now))
		}
	}
	return d
}

// rebalance proposes the moves that are the leader's own. What it began goes on
// under any other leader: the wishes are in the state.
func (l *loop) rebalance(ctx context.Context) time.Duration {
	v, now := l.cfg.Store.View(), time.Now()
	if version, _ := v.Commands(); version < state.KindMove.Since() {
		return rebalanceEvery
	}
	if rest := unrested(v, now); rest > 0 {
		return rest
	}
	m := OwnMoves(v, l.Facts(), now)
	if len(m.Tasks) == 0 {
		return rebalanceEvery
	}
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	if _, err := l.cfg.Store.Propose(ctx, state.Command{At: now, Body: m}); err != nil && l.ctx.Err() == nil {
		l.cfg.Logger.Warn("tasks that would be better on other nodes stay for now", "error", err)
	}
	return rebalanceEvery
}

// unmoved is why no task of the service may move, or "".
func unmoved(v state.View, s *cluster.Service) string {
	switch {
	case s.Removing:
		return "it is being removed"
	case s.SetAside != "":
		return "it is set aside: " + s.SetAside
	case s.Spec.Mode == cluster.Global:
		return "it is global: its tasks are bound to their nodes"
	case s.Spec.Placement.Rebalance == cluster.RebalanceNever:
		return "x-muster.rebalance is never"
	case s.Spec.Template.Restart.Condition == cluster.RestartNever:
		return "its tasks end by themselves, and would begin anew"
	case len(s.Spec.Template.Devices) > 0:
		return "its tasks have devices, which belong to their nodes"
	case s.Outcome() == cluster.OutcomePaused:
		return "its update is paused"
	case s.Outcome() != cluster.OutcomeGood:
		return "its generation has yet to prove itself"
	}
	tasks := 0
	for t := range v.TasksOf(s.ID) {
		if !wanted(t) {
			continue
		}
		if tasks++; !t.Ready() || v.Condition(t.Node) != cluster.Ready {
			return "not all of its tasks are ready"
		}
	}
	if tasks != s.Spec.Replicas {
		return "it has more or fewer tasks than it is to have"
	}
	return ""
}

// tenantsOf are the wanted tasks on nodes; those of services that may not move, or
// that are leaving already, stay.
func tenantsOf(v state.View, f Facts, now time.Time, may func(*cluster.Service) bool) []placement.Tenant {
	var out []placement.Tenant
	for s := range v.Services() {
		moves := may(s)
		for t := range v.TasksOf(s.ID) {
			tpl, ok := s.Template(t.Generation)
			if !ok || !wanted(t) || t.Node == "" {
				continue
			}
			one := placement.Tenant{Request: placement.RequestOf(t, s, tpl), Node: t.Node, Stays: !moves || t.Leaving(now)}
			if f.Demand != nil {
				one.Uses = f.Demand(t)
			}
			out = append(out, one)
		}
	}
	return out
}

// snapshotFor is what placement has to know of a view to move the tenants.
func (f *Facts) snapshotFor(v state.View, tenants []placement.Tenant, now time.Time) placement.Snapshot {
	reqs := make([]placement.Request, len(tenants))
	for i := range tenants {
		reqs[i] = tenants[i].Request
	}
	return f.snapshot(v, reqs, now)
}
