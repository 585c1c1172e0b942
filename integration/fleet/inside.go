//go:build linux

package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/integration/lab"
)

// settleLimit bounds what a healthy cluster does in a few seconds.
const settleLimit = time.Minute

// ask makes one call to the agent of h, with a client of its own: agents come
// and go here.
func ask[T any](ctx context.Context, h *lab.Host, call func(context.Context, *client.Client) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := client.New("unix://" + h.Socket)
	if err != nil {
		var none T
		return none, err
	}
	defer c.Close()
	return call(ctx, c)
}

// Status is the cluster at a glance, as h sees it.
func Status(ctx context.Context, h *lab.Host) (api.Status, error) {
	return ask(ctx, h, func(ctx context.Context, c *client.Client) (api.Status, error) { return c.Status(ctx) })
}

// Local is what h knows by itself.
func Local(ctx context.Context, h *lab.Host) (api.Local, error) {
	return ask(ctx, h, func(ctx context.Context, c *client.Client) (api.Local, error) { return c.Local(ctx) })
}

// Nodes are the nodes by name, as h sees them.
func Nodes(ctx context.Context, h *lab.Host) (map[string]api.Node, error) {
	list, err := ask(ctx, h, func(ctx context.Context, c *client.Client) ([]api.Node, error) { return c.Nodes(ctx) })
	nodes := make(map[string]api.Node)
	for _, n := range list {
		nodes[n.Name] = n
	}
	return nodes, err
}

// Tasks are a service's tasks that have not ended, as h sees them; all of them
// for an empty name.
func Tasks(ctx context.Context, h *lab.Host, service string) ([]api.Task, error) {
	return ask(ctx, h, func(ctx context.Context, c *client.Client) ([]api.Task, error) {
		return c.Tasks(ctx, client.TaskQuery{Service: service})
	})
}

// Events is the cluster's history after an index, as h knows it.
func Events(ctx context.Context, h *lab.Host, after uint64) ([]api.Event, error) {
	return ask(ctx, h, func(ctx context.Context, c *client.Client) ([]api.Event, error) {
		var events []api.Event
		for e, err := range c.Events(ctx, client.EventQuery{Tail: -1, After: after}) {
			if err != nil {
				return events, err
			}
			events = append(events, e)
		}
		return events, nil
	})
}

// Leader is the host that leads, as any of the hosts that are up sees it.
func (f *Fleet) Leader(ctx context.Context) (leader *lab.Host, err error) {
	err = Within(ctx, settleLimit, "a leader", func(ctx context.Context) error {
		s, err := Status(ctx, f.Any())
		if err != nil {
			return err
		}
		i := slices.IndexFunc(f.Hosts, func(h *lab.Host) bool { return h.Name == s.Leader })
		if i < 0 || s.Stale {
			return fmt.Errorf("%s knows no leader", f.Any().Name)
		}
		leader = f.Hosts[i]
		return nil
	})
	return leader, err
}

// Follower is a host that does not lead.
func (f *Fleet) Follower(ctx context.Context) (*lab.Host, error) {
	leader, err := f.Leader(ctx)
	if err != nil {
		return nil, err
	}
	return f.Others(leader)[0], nil
}

// Seats is how many voters a cluster of so many nodes has.
func Seats(nodes int) int {
	switch {
	case nodes >= 7:
		return 5
	case nodes >= 3:
		return 3
	}
	return 1
}

// AwaitReady waits until every one of hosts sees all of them as ready nodes, and
// as many voters as such a cluster has.
func (f *Fleet) AwaitReady(ctx context.Context, hosts ...*lab.Host) error {
	voters := Seats(len(f.Hosts))
	return Within(ctx, settleLimit, "a cluster of ready nodes", func(ctx context.Context) error {
		for _, h := range hosts {
			s, err := Status(ctx, h)
			switch {
			case err != nil:
				return err
			case s.Leader == "" || s.Stale:
				return fmt.Errorf("%s knows no leader", h.Name)
			case len(s.Voters) < voters:
				return fmt.Errorf("%d voters: %s", len(s.Voters), strings.Join(s.Voters, ", "))
			}
			nodes, err := Nodes(ctx, h)
			if err != nil {
				return err
			}
			for _, other := range hosts {
				if n := nodes[other.Name]; n.State != "ready" {
					return fmt.Errorf("%s sees %s as %q", h.Name, other.Name, n.State)
				}
			}
		}
		return nil
	})
}
