package server

import (
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func listServices(c *call) (any, error) {
	stack := c.r.URL.Query().Get("stack")
	p := c.present()
	out := []api.Service{}
	for s := range p.view.Services() {
		if stack == "" || s.ID.Stack() == stack {
			out = append(out, p.service(s))
		}
	}
	return out, nil
}

func (c *call) serviceID() cluster.ServiceID {
	return cluster.NewServiceID(c.r.PathValue("stack"), c.r.PathValue("service"))
}

func findService(v state.View, id cluster.ServiceID) (*cluster.Service, error) {
	if s, ok := v.Service(id); ok {
		return s, nil
	}
	return nil, api.Errorf(api.CodeNotFound, "there is no service %s", id).WithHint("`muster ls` lists them")
}

func getService(c *call) (any, error) {
	p := c.present()
	s, err := findService(p.view, c.serviceID())
	if err != nil {
		return nil, err
	}
	out := api.ServiceDetail{Service: p.service(s), Spec: s.Spec, Created: s.Created, Updated: s.Updated, Tasks: []api.Task{}}
	for t := range p.view.TasksOf(s.ID) {
		out.Tasks = append(out.Tasks, p.task(t))
	}
	return out, nil
}

func scaleService(c *call) (any, error) {
	var in api.Scale
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	v, _ := c.State.View()
	s, err := findService(v, c.serviceID())
	if err != nil {
		return nil, err
	}
	spec := s.Spec
	spec.Replicas = in.Replicas
	if err := spec.Validate(s.ID.Name()); err != nil {
		return nil, err
	}
	res, err := c.propose(in.Request, state.Scale{Service: s.ID, Replicas: in.Replicas})
	if err != nil {
		return nil, err
	}
	return deployed(s.ID.Stack(), res), nil
}

func restartService(c *call) (any, error) {
	var in api.Restart
	if c.r.ContentLength != 0 { // older clients send none
		if err := c.decode(&in); err != nil {
			return nil, err
		}
	}
	if err := in.Note.Validate(); err != nil {
		return nil, err
	}
	id := c.serviceID()
	restart := state.Restart{Service: id, Note: in.Note}
	if restart.Note.Message == "" {
		restart = trimmed(c, restart) // who restarts is told where every voter can keep it
	}
	res, err := c.propose(c.r.URL.Query().Get("request"), restart)
	if err != nil {
		return nil, err
	}
	return deployed(id.Stack(), res), nil
}

// listTasks leaves out tasks that are over unless all are asked for.
func listTasks(c *call) (any, error) {
	q := c.r.URL.Query()
	stack, service, all := q.Get("stack"), cluster.ServiceID(q.Get("service")), q.Get("all") != ""
	p := c.present()
	out := []api.Task{}
	for s := range p.view.Services() {
		if stack != "" && s.ID.Stack() != stack || service != "" && s.ID != service {
			continue
		}
		for t := range p.view.TasksOf(s.ID) {
			if all || !p.over(t) {
				out = append(out, p.task(t))
			}
		}
	}
	return out, nil
}

func getTask(c *call) (any, error) {
	p := c.present()
	t, err := findTask(p.view, c.r.PathValue("task"))
	if err != nil {
		return nil, err
	}
	out := api.TaskDetail{Task: p.task(t), Replaces: string(t.Replaces), Why: t.Why, Started: t.Observed.Started, Finished: t.Observed.Finished}
	if s, ok := p.view.Service(t.Service); ok {
		if tpl, ok := s.Template(t.Generation); ok {
			out.Template = &tpl
		}
	}
	return out, nil
}

func redirectService(c *call) (any, error) {
	var in api.RedirectService
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := in.Note.Validate(); err != nil {
		return nil, err
	}
	id := c.serviceID()
	res, err := c.propose(in.Request, state.Redirect{Service: id, To: cluster.ServiceID(in.To), Note: in.Note})
	if err != nil {
		return nil, err
	}
	return deployed(id.Stack(), res), nil
}
