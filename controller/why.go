package controller

import (
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement"
)

// Why answers for each of some tasks where it could be as things are; nil for one
// that is not wanted any more. It decides as the leader would by the same facts,
// and nothing follows from it.
func Why(v state.View, f Facts, now time.Time, tasks []*cluster.Task) []*api.Placing {
	reqs := make([]placement.Request, len(tasks))
	for i, t := range tasks {
		s, ok := v.Service(t.Service)
		if !ok || !wanted(t) {
			continue
		}
		if tpl, ok := s.Template(t.Generation); ok {
			reqs[i] = placement.RequestOf(t, s, tpl)
		}
	}
	snap := f.snapshot(v, reqs, now)
	out := make([]*api.Placing, len(tasks))
	for i, t := range tasks {
		if reqs[i].Task != "" {
			a := placement.Why(snap, reqs[i], t.Node, seed(reqs[i:i+1]))
			out[i] = placing(v, t, &a)
		}
	}
	return out
}

// placing writes an answer in the API's words.
func placing(v state.View, t *cluster.Task, a *placement.Answer) *api.Placing {
	out := &api.Placing{
		Able: a.Able, Candidates: []api.Candidate{}, Refused: []api.RefusedNodes{}, Proposals: []api.Proposal{}, Invalid: a.Invalid,
	}
	for _, c := range a.Candidates {
		one := api.Candidate{Rank: c.Rank, Node: c.Node.Name, Here: c.Node.ID == t.Node, Score: scoreOf(&c.Why)}
		if c.Rank > 1 {
			one.LostBy, one.Lost = c.Lost.Part.String(), c.Lost.Text(c.Why.Spread)
		}
		out.Candidates = append(out.Candidates, one)
	}
	for _, r := range a.Refused {
		names := r.Names
		if names == nil {
			names = []string{}
		}
		out.Refused = append(out.Refused, api.RefusedNodes{Reason: r.Reason, Count: r.Nodes, Nodes: names})
	}
	for _, p := range a.Proposals {
		q := api.Proposal{Text: p.String()}
		for _, c := range p.Changes {
			q.Changes = append(q.Changes, api.ProposedChange{
				Kind: string(c.Kind), Node: nodeName(v, c.Node), Text: c.Text,
				CPUs: float64(c.Room.MilliCPU) / 1000, Memory: c.Room.Memory,
			})
		}
		out.Proposals = append(out.Proposals, q)
	}
	return out
}

func scoreOf(s *placement.Score) api.Score {
	out := api.Score{
		Policy: string(s.Policy), Failed: s.Failed, Crowded: s.Crowded > 0, Spread: []api.SpreadCount{}, Service: s.Service, Near: s.Near.Word(),
		Cost: []api.CostTerm{}, Affinity: s.Affinity, Fetch: float64(s.Fetch) / 1e6, Tasks: s.Tasks,
	}
	for _, d := range s.Spread {
		out.Spread = append(out.Spread, api.SpreadCount{Label: d.Label, Value: d.Value, Tasks: d.Tasks})
	}
	for i, term := range s.Terms() {
		out.Cost = append(out.Cost, api.CostTerm{Term: term, Cost: float64(s.Cost[i]) / 1e6})
	}
	return out
}
