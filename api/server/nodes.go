package server

import (
	"fmt"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func listNodes(c *call) (any, error) {
	p := c.present()
	out := []api.Node{}
	for n := range p.view.Nodes() {
		out = append(out, p.node(n))
	}
	return out, nil
}

func getNode(c *call) (any, error) {
	p := c.present()
	n, err := findNode(p.view, c.r.PathValue("node"))
	if err != nil {
		return nil, err
	}
	return p.nodeDetail(n), nil
}

// editNode proposes what body makes of the named node and answers the result.
func (c *call) editNode(body func(n *cluster.Node) (state.Body, error)) (any, error) {
	p := c.present()
	n, err := findNode(p.view, c.r.PathValue("node"))
	if err != nil {
		return nil, err
	}
	b, err := body(n)
	if err != nil {
		return nil, err
	}
	if b != nil {
		if _, err := c.propose("", b); err != nil {
			return nil, err
		}
	}
	p = c.present()
	if n, ok := p.view.Node(n.ID); ok {
		return p.nodeDetail(n), nil
	}
	return nil, nil
}

func setAvailability(c *call) (any, error) {
	var in api.SetAvailability
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return c.editNode(func(n *cluster.Node) (state.Body, error) {
		if in.DryRun {
			return nil, nil
		}
		return state.SetAvailability{Node: n.ID, Availability: in.Availability}, nil
	})
}

func setLabels(c *call) (any, error) {
	var in api.SetLabels
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := cluster.ValidateNodeLabels("labels", in.Set); err != nil {
		return nil, err
	}
	return c.editNode(func(n *cluster.Node) (state.Body, error) {
		return state.LabelNode{Node: n.ID, Set: in.Set, Remove: in.Remove}, nil
	})
}

// removeNode forgets a node that is down, or by force one that still runs.
func removeNode(c *call) (any, error) {
	force := c.r.URL.Query().Get("force") != ""
	return c.editNode(func(n *cluster.Node) (state.Body, error) {
		switch {
		case n.ID == c.Self:
			return nil, api.Errorf(api.CodeConflict, "node %s leads the cluster and cannot remove itself", n.Name).
				WithHint("run `muster leave` on it")
		case n.Condition != cluster.Down && !force:
			return nil, api.Errorf(api.CodeConflict, "node %s is %s", n.Name, n.Condition).
				WithHint("run `muster leave` on it, or add --force to cut it off")
		}
		return trimmed(c, state.RemoveNode{ID: n.ID, Exposed: true}), nil
	})
}

// nodeLeave is a member's own wish to go: it is drained first by its agent.
func nodeLeave(c *call) (any, error) {
	id := c.speaker()
	v, _ := c.State.View()
	switch _, member := v.Node(id); {
	case id == c.Self:
		return nil, api.Errorf(api.CodeConflict, "the leader cannot let itself go").WithHint("leadership is handed over first")
	case !member:
		return nil, api.Errorf(api.CodeRemoved, "node %s is no member", id)
	}
	if _, err := c.propose("", trimmed(c, state.RemoveNode{ID: id, Exposed: true})); err != nil {
		return nil, fmt.Errorf("let node %s leave: %w", id, err)
	}
	return nil, nil
}
