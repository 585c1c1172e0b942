package state

import (
	"fmt"
	"maps"

	"github.com/musterhq/muster/cluster"
)

// editNode applies edit to a copy of the node and stores it.
func (tx *tx) editNode(id cluster.NodeID, edit func(n *cluster.Node)) error {
	old, ok := tx.nodes.get(string(id))
	if !ok {
		return &Error{CodeNotFound, fmt.Sprintf("there is no node %s; `muster node ls` lists them", id)}
	}
	n := *old
	edit(&n)
	tx.putNode(&n)
	return nil
}

func (c UpdateNode) apply(tx *tx) error {
	return tx.editNode(c.ID, func(n *cluster.Node) {
		if n.EngineError != c.EngineError {
			action, msg := "engine-ok", ""
			if c.EngineError != "" {
				action, msg = "engine-failed", c.EngineError
			}
			tx.event(Event{Type: "node", Action: action, Object: string(n.ID), Node: n.ID, Message: msg})
		}
		n.Address, n.APIPort, n.GossipPort = c.Address, c.APIPort, c.GossipPort
		if len(c.Labels) > 0 {
			n.Labels = maps.Clone(n.Labels)
			if n.Labels == nil {
				n.Labels = map[string]string{}
			}
			maps.Copy(n.Labels, c.Labels)
		}
		n.EngineLabels, n.OS, n.Arch = c.EngineLabels, c.OS, c.Arch
		n.EngineVersion, n.Version, n.Commands = c.EngineVersion, c.Version, c.Commands
		n.Capacity, n.EngineError, n.Devices = c.Capacity, c.EngineError, c.Devices
		tx.tellNetwork(n, c.NetworkKey, c.NetworkPort, c.Routes)
	})
}

func (c SetAvailability) apply(tx *tx) error {
	switch c.Availability {
	case cluster.Active, cluster.Cordoned, cluster.Drained:
	default:
		return &Error{CodeInvalid, fmt.Sprintf("availability %q is none of active, cordoned, drained", c.Availability)}
	}
	return tx.editNode(c.Node, func(n *cluster.Node) {
		if n.Availability != c.Availability {
			tx.event(Event{Type: "node", Action: string(c.Availability), Object: string(n.ID), Node: n.ID})
		}
		n.Availability = c.Availability
	})
}

func (c LabelNode) apply(tx *tx) error {
	return tx.editNode(c.Node, func(n *cluster.Node) {
		labels := maps.Clone(n.Labels)
		if labels == nil {
			labels = map[string]string{}
		}
		maps.Copy(labels, c.Set)
		for _, k := range c.Remove {
			delete(labels, k)
		}
		n.Labels = labels
	})
}

// apply grants streams only to a node that can apply all that the log holds.
func (c SetVoter) apply(tx *tx) error {
	if n, ok := tx.nodes.get(string(c.Node)); ok && c.Voter && max(n.Commands, 1) < tx.base.Level() {
		return &Error{CodeConflict, fmt.Sprintf("node %s runs muster %s, which does not know all that the log holds: upgrade it before it can vote", n.Name, n.Version)}
	}
	return tx.editNode(c.Node, func(n *cluster.Node) {
		if n.Voter != c.Voter {
			action := "demoted"
			if c.Voter {
				action = "promoted"
			}
			tx.event(Event{Type: "node", Action: action, Object: string(n.ID), Node: n.ID})
		}
		n.Voter = c.Voter
	})
}

func (c RemoveNode) apply(tx *tx) error {
	n, ok := tx.nodes.get(string(c.ID))
	if !ok {
		return &Error{CodeNotFound, fmt.Sprintf("there is no node %s; `muster node ls` lists them", c.ID)}
	}
	tx.nodes.del(string(c.ID))
	tx.takeAddresses(c.ID)
	tx.changed(TopicNode, string(c.ID), c.ID)
	tx.event(Event{Type: "node", Action: "removed", Object: string(c.ID), Node: c.ID, Message: n.Name})
	if c.Exposed && !tx.ident.GossipExposed {
		id := *tx.ident
		id.GossipExposed = true
		tx.ident = &id
		tx.changed(TopicCluster, id.ID, "")
	}
	return nil
}

// setCondition records the leader's verdict and says so in the history.
func (tx *tx) setCondition(c NodeCondition) {
	old, ok := tx.nodes.get(string(c.Node))
	if !ok || (old.Condition == c.Condition && old.Reason == c.Reason) {
		return
	}
	n := *old
	if n.Condition != c.Condition {
		n.ConditionSince = tx.now
		tx.event(Event{Type: "node", Action: string(c.Condition), Object: string(n.ID), Node: n.ID, Message: c.Reason})
	}
	n.Condition, n.Reason = c.Condition, c.Reason
	tx.putNode(&n)
}
