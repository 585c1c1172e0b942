package server

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/musterhq/muster/api"
)

// listUsage answers what the tasks of all nodes that answer use. It is measured
// because of this call: at rest it costs no node anything.
func listUsage(c *call) (any, error) {
	out, err := c.ownUsage()
	if err != nil {
		out = []api.TaskUsage{} // as of another node that does not answer
	}
	for _, a := range ask[[]api.TaskUsage](c, "/v1/node/usage") {
		if a.err != nil {
			continue
		}
		for _, u := range a.value {
			u.Node = a.Name
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b api.TaskUsage) int { return cmp.Compare(a.Task, b.Task) })
	return out, nil
}

func nodeUsage(c *call) (any, error) { return c.ownUsage() }

func (c *call) ownUsage() ([]api.TaskUsage, error) {
	used, err := c.Local.TaskUsage(c.ctx)
	if err != nil {
		return nil, fmt.Errorf("measure this node's tasks: %w", err)
	}
	out := []api.TaskUsage{}
	for _, u := range used {
		u.Node = c.nodeName(c.Self)
		out = append(out, u)
	}
	return out, nil
}

// metrics are this node's own, in the form of Prometheus.
func metrics(c *call) (any, error) {
	c.Metrics.ServeHTTP(c.w, c.r)
	return streamed, nil
}
