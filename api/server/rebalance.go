package server

import (
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// rebalance says which tasks would be better on other nodes; none moves.
func rebalance(c *call) (any, error) {
	var in api.Rebalance
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	p := c.present()
	services, err := knownServices(p.view, in.Services)
	if err != nil {
		return nil, err
	}
	out := c.Leader.Rebalance(p.view, services, in)
	out.Stale = c.stale
	return out, nil
}

// moveTasks asks tasks to leave their nodes.
func moveTasks(c *call) (any, error) {
	var in api.Moves
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := in.Note.Validate(); err != nil {
		return nil, err
	}
	v, _ := c.State.View()
	services, err := knownServices(v, in.Services)
	if err != nil {
		return nil, err
	}
	m := state.Move{Services: services, Note: in.Note}
	for _, one := range in.Moves {
		m.Tasks = append(m.Tasks, state.MoveTask{
			Task: cluster.TaskID(one.Task), From: cluster.NodeID(one.FromID), To: cluster.NodeID(one.ToID), Why: cut(one.Why),
		})
	}
	res, err := c.propose(in.Request, m)
	if err != nil {
		return nil, err
	}
	out := api.Moving{Index: res.Index, Refused: []api.RefusedMove{}}
	for _, r := range res.Refused {
		out.Refused = append(out.Refused, api.RefusedMove{Task: string(r.Task), Reason: r.Reason})
	}
	return out, nil
}

// cut bounds a reason that a client gives for a move.
func cut(why string) string {
	const most = 200 // bytes
	return why[:min(len(why), most)]
}

// knownServices are the services of those names; nil for none.
func knownServices(v state.View, names []string) ([]cluster.ServiceID, error) {
	var out []cluster.ServiceID
	for _, name := range names {
		s, err := findService(v, cluster.ServiceID(name))
		if err != nil {
			return nil, err
		}
		out = append(out, s.ID)
	}
	return out, nil
}
