package state

import (
	"bytes"
	"time"

	"github.com/musterhq/muster/cluster"
)

// trust stores an edited copy of the cluster's identity under the next number.
func (tx *tx) trust(action string, edit func(id *cluster.Identity)) {
	id := *tx.ident
	edit(&id)
	id.Trust++
	tx.ident = &id
	tx.changed(TopicCluster, id.ID, "")
	tx.event(Event{Type: "cluster", Action: action, Object: id.ID})
}

func (c RotateGossip) apply(tx *tx) error {
	switch {
	case len(c.Key.Ciphertext) == 0:
		return &Error{CodeInvalid, "a rotation needs a sealed key"}
	case tx.ident.GossipRotation != nil:
		return &Error{CodeConflict, "the gossip key is being rotated already; `muster key ls` shows how far it is"}
	}
	tx.trust("gossip-key-installed", func(id *cluster.Identity) {
		id.GossipRotation = &cluster.GossipRotation{Phase: cluster.Install, Key: c.Key, Since: tx.now}
		id.GossipExposed = false
	})
	return nil
}

func (c RotateCA) apply(tx *tx) error {
	switch {
	case len(c.CA) == 0 || len(c.Key.Ciphertext) == 0:
		return &Error{CodeInvalid, "a rotation needs a certificate and a sealed key"}
	case tx.ident.CARotation != nil:
		return &Error{CodeConflict, "the certificate authority is being rotated already; `muster ca ls` shows how far it is"}
	case bytes.Equal(c.CA, tx.ident.CA):
		return &Error{CodeInvalid, "the new certificate authority is the present one"}
	}
	key := c.Key
	tx.trust("ca-installed", func(id *cluster.Identity) {
		id.CARotation = &cluster.CARotation{Phase: cluster.Install, CA: c.CA, Key: &key, Since: tx.now}
	})
	return nil
}

func (c StepRotation) apply(tx *tx) error {
	switch id := tx.ident; {
	case c.Trust != id.Trust:
		return &Error{CodeConflict, "the keys have changed meanwhile"}
	case !c.CA && !c.Gossip, c.CA && id.CARotation == nil, c.Gossip && id.GossipRotation == nil:
		return &Error{CodeConflict, "there is no such rotation under way"}
	}
	if c.Gossip {
		tx.trust(gossipStep(tx.ident.GossipRotation.Phase), func(id *cluster.Identity) { stepGossip(id, tx.now) })
	}
	if c.CA {
		tx.stepCA()
	}
	return nil
}

func gossipStep(from cluster.RotationPhase) string {
	if from == cluster.Install {
		return "gossip-key-used"
	}
	return "gossip-key-rotated"
}

func stepGossip(id *cluster.Identity, now time.Time) {
	r := id.GossipRotation
	if r.Phase == cluster.Retire {
		id.GossipRotation = nil
		return
	}
	id.GossipRotation = &cluster.GossipRotation{Phase: cluster.Retire, Key: id.GossipKey, Since: now}
	id.GossipKey, id.GossipSince = r.Key, now
}

// stepCA takes the authority's rotation on. Once the new one signs, the old
// one's key is forgotten and the join tokens end, which name the old one.
func (tx *tx) stepCA() {
	r := tx.ident.CARotation
	if r.Phase == cluster.Retire {
		tx.trust("ca-rotated", func(id *cluster.Identity) { id.CARotation = nil })
		return
	}
	for _, t := range tx.tokens.all("") {
		tx.tokens.del(t.ID)
		tx.changed(TopicCluster, t.ID, "")
	}
	tx.trust("ca-used", func(id *cluster.Identity) {
		id.CARotation = &cluster.CARotation{Phase: cluster.Retire, CA: id.CA, Since: tx.now}
		id.CA, id.CAKey, id.CASince = r.CA, *r.Key, tx.now
	})
}
