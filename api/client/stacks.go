package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// Deploy makes the stack what services say.
func (c *Client) Deploy(ctx context.Context, stack string, services []api.NamedSpec) (api.Deployed, error) {
	return c.DeployAs(ctx, stack, api.Deploy{Services: services})
}

// DeployAs is Deploy with all that can be said of it; the request's ID is made
// here.
func (c *Client) DeployAs(ctx context.Context, stack string, in api.Deploy) (api.Deployed, error) {
	in.Request = newRequest()
	return write[api.Deployed](ctx, c, call{method: http.MethodPut, path: path("stacks", stack), body: in})
}

// Plan says what a deploy would do, and changes nothing.
func (c *Client) Plan(ctx context.Context, stack string, in api.Deploy) (api.Plan, error) {
	return c.plan(ctx, stack, in, nil)
}

// Compare is Plan without what becomes of the tasks, which takes longer to
// foretell than all the rest.
func (c *Client) Compare(ctx context.Context, stack string, in api.Deploy) (api.Plan, error) {
	return c.plan(ctx, stack, in, url.Values{"forecast": {"false"}})
}

func (c *Client) plan(ctx context.Context, stack string, in api.Deploy, query url.Values) (api.Plan, error) {
	return write[api.Plan](ctx, c, call{method: http.MethodPost, path: path("stacks", stack, "plan"), query: query, body: api.Deploy{Services: in.Services, Networks: in.Networks}})
}

// Rollback takes a service back to a generation, or for 0 to the one that was
// good last.
func (c *Client) Rollback(ctx context.Context, stack, service string, to uint64, note cluster.Note) (api.Deployed, error) {
	return write[api.Deployed](ctx, c, call{
		method: http.MethodPost, path: path("services", stack, service, "rollback"),
		body: api.Rollback{To: to, Note: note, Request: newRequest()},
	})
}

// Promote gives all tasks of a service the generation that its canary has.
func (c *Client) Promote(ctx context.Context, stack, service string, generation uint64, note cluster.Note) (api.Deployed, error) {
	return write[api.Deployed](ctx, c, call{
		method: http.MethodPost, path: path("services", stack, service, "promote"),
		body: api.PromoteService{Generation: generation, Note: note, Request: newRequest()},
	})
}

// History lists the generations of a service, the newest first.
func (c *Client) History(ctx context.Context, stack, service string) ([]api.Generation, error) {
	return read[[]api.Generation](ctx, c, path("services", stack, service, "history"), nil)
}

// Stack says how far a stack has come.
func (c *Client) Stack(ctx context.Context, stack string) (api.StackStatus, error) {
	return read[api.StackStatus](ctx, c, path("stacks", stack), nil)
}

// RemoveStack removes the named services of a stack, or all of them.
func (c *Client) RemoveStack(ctx context.Context, stack string, services ...string) (api.Deployed, error) {
	query := filter("request", newRequest())
	query["service"] = services
	return write[api.Deployed](ctx, c, call{method: http.MethodDelete, path: path("stacks", stack), query: query})
}

// Services lists the services of a stack, or all of them.
func (c *Client) Services(ctx context.Context, stack string) ([]api.Service, error) {
	return read[[]api.Service](ctx, c, path("services"), filter("stack", stack))
}

// Service shows one service.
func (c *Client) Service(ctx context.Context, stack, service string) (api.ServiceDetail, error) {
	return read[api.ServiceDetail](ctx, c, path("services", stack, service), nil)
}

// Scale sets the replicas of a service.
func (c *Client) Scale(ctx context.Context, stack, service string, replicas int) (api.Deployed, error) {
	return write[api.Deployed](ctx, c, call{
		method: http.MethodPost, path: path("services", stack, service, "scale"),
		body: api.Scale{Replicas: replicas, Request: newRequest()},
	})
}

// Restart replaces the tasks of a service by new ones of the same spec.
func (c *Client) Restart(ctx context.Context, stack, service string, note cluster.Note) (api.Deployed, error) {
	return write[api.Deployed](ctx, c, call{
		method: http.MethodPost, path: path("services", stack, service, "restart"), query: filter("request", newRequest()),
		body: api.Restart{Note: note},
	})
}

// Redirect has new connections to a service's published ports go to the tasks of
// another, or to its own again for "".
func (c *Client) Redirect(ctx context.Context, stack, service string, to cluster.ServiceID, note cluster.Note) (api.Deployed, error) {
	return write[api.Deployed](ctx, c, call{
		method: http.MethodPost, path: path("services", stack, service, "redirect"),
		body: api.RedirectService{To: string(to), Note: note, Request: newRequest()},
	})
}

// TaskQuery selects tasks; empty fields select all.
type TaskQuery struct {
	Stack   string
	Service string // stack/service
	All     bool   // ended ones too
}

// Tasks lists tasks.
func (c *Client) Tasks(ctx context.Context, q TaskQuery) ([]api.Task, error) {
	query := filter("stack", q.Stack, "service", q.Service)
	if q.All {
		query.Set("all", "1")
	}
	return read[[]api.Task](ctx, c, path("tasks"), query)
}

// Task shows a task by its ID or the beginning of it.
func (c *Client) Task(ctx context.Context, task string) (api.TaskDetail, error) {
	return read[api.TaskDetail](ctx, c, path("tasks", task), nil)
}

// Why says why a task, by its ID or the beginning of it, is where it is.
func (c *Client) Why(ctx context.Context, task string) (api.Why, error) {
	return read[api.Why](ctx, c, path("tasks", task, "why"), nil)
}

// WhyService says why the tasks of a service are where they are.
func (c *Client) WhyService(ctx context.Context, stack, service string) (api.ServiceWhy, error) {
	return read[api.ServiceWhy](ctx, c, path("services", stack, service, "why"), nil)
}

// filter makes a query of names and values, leaving out empty ones.
func filter(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// Recording is what simulations rest on, without secrets.
func (c *Client) Recording(ctx context.Context) (api.Recording, error) {
	return read[api.Recording](ctx, c, path("recording"), nil)
}

// Simulate answers what would follow if all of that happened; nothing does.
func (c *Client) Simulate(ctx context.Context, s api.Simulate) (api.Simulation, error) {
	return attempt[api.Simulation](ctx, c, call{
		method: http.MethodPost, path: path("simulate"), body: s, timeout: time.Minute,
	})
}

// Rebalance says which tasks would be better on other nodes; none moves.
func (c *Client) Rebalance(ctx context.Context, ask api.Rebalance) (api.RebalancePlan, error) {
	return attempt[api.RebalancePlan](ctx, c, call{method: http.MethodPost, path: path("rebalance"), body: ask, timeout: time.Minute})
}

// Move asks tasks to leave their nodes, and ends the earlier wishes about other
// tasks of their services.
func (c *Client) Move(ctx context.Context, m api.Moves) (api.Moving, error) {
	m.Request = newRequest()
	return write[api.Moving](ctx, c, call{method: http.MethodPost, path: path("moves"), body: m})
}
