package server

import (
	"cmp"
	"slices"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func rollbackService(c *call) (any, error) {
	var in api.Rollback
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := in.Note.Validate(); err != nil {
		return nil, err
	}
	id := c.serviceID()
	res, err := c.propose(in.Request, state.Rollback{Service: id, To: in.To, Note: in.Note})
	if err != nil {
		return nil, err
	}
	return deployed(id.Stack(), res), nil
}

func promoteService(c *call) (any, error) {
	var in api.PromoteService
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := in.Note.Validate(); err != nil {
		return nil, err
	}
	id := c.serviceID()
	res, err := c.propose(in.Request, state.Promote{Service: id, Generation: in.Generation, Note: in.Note})
	if err != nil {
		return nil, err
	}
	return deployed(id.Stack(), res), nil
}

func serviceHistory(c *call) (any, error) {
	p := c.present()
	s, err := findService(p.view, c.serviceID())
	if err != nil {
		return nil, err
	}
	return p.history(s), nil
}

// history lists the generations of a service, the newest first.
func (p presenter) history(s *cluster.Service) []api.Generation {
	tasks := map[uint64]int{}
	for t := range p.view.TasksOf(s.ID) {
		if t.Desired == cluster.Running && !t.Ended() {
			tasks[t.Generation]++
		}
	}
	line := func(number uint64, r cluster.Release, t *cluster.Template) api.Generation {
		return api.Generation{
			Generation: number, State: string(r.Outcome), Reason: r.Reason, Image: t.Container.Image.Ref,
			Author: r.Note.Author, Message: r.Note.Message, Tasks: tasks[number], Template: *t,
		}
	}
	present := line(s.Generation, s.Release, &s.Spec.Template)
	how := rolloutOf(s)
	present.Current, present.State, present.Reason = true, how.State, how.Reason
	out := []api.Generation{present}
	for i := range s.History {
		g := &s.History[i]
		out = append(out, line(g.Number, g.Release, &g.Template))
	}
	slices.SortFunc(out, func(a, b api.Generation) int { return cmp.Compare(b.Generation, a.Generation) })
	return out
}
