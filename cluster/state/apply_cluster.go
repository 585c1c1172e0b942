package state

import (
	"fmt"
	"maps"

	"github.com/musterhq/muster/cluster"
)

func (c Init) apply(tx *tx) error {
	if tx.ident != nil {
		return &Error{CodeConflict, "the cluster exists already"}
	}
	ident := c.Identity
	ident.Created = tx.now
	tx.ident = &ident
	tx.changed(TopicCluster, "", "")
	tx.event(Event{Type: "cluster", Action: "created", Object: ident.ID})
	tx.admit(c.Node, true)
	return nil
}

func (c PutToken) apply(tx *tx) error {
	t := c.Token
	if t.ID == "" || t.SecretHash == "" || t.Uses < 1 {
		return &Error{CodeInvalid, "a join token needs an ID, a secret and at least one use"}
	}
	t.Created = tx.now
	tx.tokens.put(t.ID, &t)
	tx.changed(TopicCluster, t.ID, "")
	return nil
}

func (c RemoveToken) apply(tx *tx) error {
	if _, ok := tx.tokens.get(c.ID); !ok {
		return &Error{CodeNotFound, fmt.Sprintf("there is no join token %q; `muster token ls` lists them", c.ID)}
	}
	tx.tokens.del(c.ID)
	tx.changed(TopicCluster, c.ID, "")
	return nil
}

func (c JoinNode) apply(tx *tx) error {
	tok, ok := tx.tokens.get(c.Token)
	switch {
	case !ok:
		return &Error{CodeNotFound, "the join token is unknown, used up or revoked; make a new one with `muster token create`"}
	case !tx.now.Before(tok.Expires):
		return &Error{CodeExpired, "the join token has expired; make a new one with `muster token create`"}
	}
	if _, ok := tx.nodes.get(string(c.Node.ID)); ok {
		return &Error{CodeConflict, fmt.Sprintf("node %s is in the cluster already", c.Node.ID)}
	}
	for _, n := range tx.nodes.all("") {
		if n.Name == c.Node.Name && n.Condition != cluster.Down {
			return &Error{CodeConflict, fmt.Sprintf("a node named %q is in the cluster already; start the agent with another --name", n.Name)}
		}
	}
	left := *tok
	left.Uses--
	if left.Uses > 0 {
		tx.tokens.put(left.ID, &left)
	} else {
		tx.tokens.del(left.ID)
	}
	tx.changed(TopicCluster, left.ID, "")
	tx.admit(c.Node, false)
	return nil
}

// admit adds a node in its first condition: ready, since it just spoke to us.
func (tx *tx) admit(n cluster.Node, voter bool) {
	n.Labels, n.EngineLabels = maps.Clone(n.Labels), maps.Clone(n.EngineLabels)
	n.Availability, n.Condition, n.ConditionSince = cluster.Active, cluster.Ready, tx.now
	n.Voter, n.Joined, n.Reason = voter, tx.now, ""
	key, routes := n.NetworkKey, n.Routes
	n.Number, n.NetworkKey, n.Routes = 0, "", nil
	tx.tellNetwork(&n, key, n.NetworkPort, routes)
	tx.putNode(&n)
	tx.event(Event{Type: "node", Action: "joined", Object: string(n.ID), Node: n.ID, Message: n.Name + " at " + n.Address})
}

func (c PutSealed) apply(tx *tx) error {
	if c.Name == "" {
		return &Error{CodeInvalid, "a sealed value needs a name"}
	}
	if c.Sealed == nil {
		tx.sealed.del(c.Name)
	} else {
		tx.sealed.put(c.Name, &namedSealed{Name: c.Name, Sealed: *c.Sealed})
	}
	tx.changed(TopicCluster, c.Name, "")
	return nil
}
