package server

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/security"
)

// deploy validates on the node that was asked, resolves images there, and
// hands the resolved stack to the leader.
func deploy(c *call) (any, error) {
	stack, in, err := c.givenStack()
	if err != nil {
		return nil, err
	}
	if err := c.resolveImages(in.Services); err != nil {
		return nil, err
	}
	to, ok := c.relayTo()
	if !ok {
		// This node leads, or has begun to since it looked for another.
		if err := c.servable(route{access: security.AnyNode, where: leader}); err != nil {
			return nil, err
		}
		return c.commitStack(stack, in)
	}
	var out api.Deployed
	err = c.Peers.Call(c.ctx, to, http.MethodPost, "/v1/node/deploy/"+url.PathEscape(stack), in, &out)
	if err != nil {
		return nil, lost(err, to)
	}
	return out, nil
}

// lost turns a broken connection into an error that invites the
// same request again; answers pass unchanged.
func lost(err error, to cluster.NodeID) error {
	var answer *api.Error
	if errors.As(err, &answer) {
		return answer
	}
	return api.Errorf(api.CodeUnknown, "pass the stack on to node %s: %v; it may or may not have taken effect", to, err).
		WithHint("sending it again is safe")
}

// nodeDeploy is the second half of deploy on the leader; everything is
// validated again, because any member may call it.
func nodeDeploy(c *call) (any, error) {
	stack, in, err := c.givenStack()
	if err != nil {
		return nil, err
	}
	return c.commitStack(stack, in)
}

// givenStack reads the stack that a call is about, and validates it.
func (c *call) givenStack() (stack string, in api.Deploy, err error) {
	stack = c.r.PathValue("stack")
	if err := c.decode(&in); err != nil {
		return stack, in, err
	}
	return stack, in, validateStack(stack, in)
}

func validateStack(stack string, in api.Deploy) error {
	services := map[string]cluster.ServiceSpec{}
	for _, s := range in.Services {
		if _, twice := services[s.Name]; twice {
			return cluster.Invalid("services."+s.Name, "is given twice", "")
		}
		services[s.Name] = s.Spec
	}
	if err := in.Note.Validate(); err != nil {
		return err
	}
	if err := cluster.ValidateStackNetworks(stack, in.Networks, services); err != nil {
		return err
	}
	return cluster.ValidateStack(stack, services)
}

func (c *call) commitStack(stack string, in api.Deploy) (any, error) {
	for _, s := range in.Services {
		if s.Spec.Template.Container.Image.Digest == "" {
			return nil, cluster.Invalid("services."+s.Name+".image", "was not resolved", "")
		}
	}
	put := c.withoutNetworks(putStack(stack, in))
	if put.Note.Message == "" {
		put.Note = trimmed(c, put).Note // who deploys is told where every voter can keep it
	}
	res, err := c.propose(in.Request, put)
	if err != nil {
		return nil, err
	}
	return deployed(stack, res), nil
}

// putStack is the command of a deploy.
func putStack(stack string, in api.Deploy) state.PutStack {
	put := state.PutStack{Stack: stack, Note: in.Note, Basis: in.Basis, Networks: slices.Clone(in.Networks)}
	for _, s := range in.Services {
		put.Services = append(put.Services, state.NamedSpec{Name: s.Name, Spec: s.Spec})
	}
	slices.SortFunc(put.Services, func(a, b state.NamedSpec) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(put.Networks, func(a, b cluster.NetworkSpec) int { return strings.Compare(a.Name, b.Name) })
	return put
}

func deployed(stack string, res state.Result) api.Deployed {
	out := api.Deployed{Stack: stack, Index: res.Index, Services: []api.ServiceChange{}}
	for _, s := range res.Services {
		out.Services = append(out.Services, api.ServiceChange{Service: string(s.Service), Action: s.Action, Generation: s.Generation})
	}
	return out
}

func getStack(c *call) (any, error) {
	stack := c.r.PathValue("stack")
	p := c.present()
	out := api.StackStatus{Stack: stack, Services: []api.Service{}, Tasks: []api.Task{}, Settled: true, Stale: c.stale}
	for s := range p.view.StackServices(stack) {
		out.Services = append(out.Services, p.service(s))
		out.Settled = out.Settled && p.settled(s)
		for t := range p.view.TasksOf(s.ID) {
			out.Tasks = append(out.Tasks, p.task(t))
		}
	}
	if len(out.Services) == 0 {
		return nil, api.Errorf(api.CodeNotFound, "there is no stack %q", stack).WithHint("`muster ls` lists what is deployed")
	}
	return out, nil
}

func removeStack(c *call) (any, error) {
	stack := c.r.PathValue("stack")
	q := c.r.URL.Query()
	res, err := c.propose(q.Get("request"), state.RemoveStack{Stack: stack, Services: q["service"]})
	if err != nil {
		return nil, err
	}
	return deployed(stack, res), nil
}
