package state

import (
	"fmt"

	"github.com/musterhq/muster/cluster"
)

// imageRecord is which image a repository digest names on hosts of one platform,
// by the word of the first node whose engine had it from the registry. It never
// changes: a digest names what it names.
type imageRecord struct {
	Digest   string         `cbor:"1,keyasint"`
	Platform string         `cbor:"2,keyasint"`
	ID       string         `cbor:"3,keyasint"`
	Node     cluster.NodeID `cbor:"4,keyasint"` // whose word it is
}

func imageKey(digest, platform string) string { return digest + "\x00" + platform }

func platformOf(n *cluster.Node) string { return n.OS + "/" + n.Arch }

// apply keeps the first word on each digest that a service needs, and refuses
// another one. What no service needs any more is forgotten on the way.
func (c NoteImages) apply(tx *tx) error {
	n, ok := tx.nodes.get(string(c.Node))
	if !ok {
		return &Error{CodeNotFound, fmt.Sprintf("there is no node %s; `muster node ls` lists them", c.Node)}
	}
	needed := map[string]bool{}
	for _, s := range tx.services.all("") {
		for _, d := range s.Digests() {
			needed[d] = true
		}
	}
	for _, r := range tx.images.all("") {
		if !needed[r.Digest] {
			tx.images.del(imageKey(r.Digest, r.Platform))
		}
	}
	platform := platformOf(n)
	for _, i := range c.Images {
		known, ok := tx.images.get(imageKey(i.Digest, platform))
		switch {
		case ok && known.ID != i.ID:
			return &Error{CodeConflict, fmt.Sprintf("%s is image %s on %s hosts by the word of node %s, not %s", i.Digest, known.ID, platform, known.Node, i.ID)}
		case !ok && needed[i.Digest]:
			tx.images.put(imageKey(i.Digest, platform), &imageRecord{i.Digest, platform, i.ID, n.ID})
		}
	}
	for _, i := range c.Removed {
		tx.event(Event{Type: "image", Action: "removed", Object: i.Name, Node: n.ID, Message: i.Reason})
	}
	return nil
}

// ImageID is the ID of the image that a repository digest names on a node's
// platform; "" where nobody has said so.
func (v View) ImageID(node cluster.NodeID, digest string) string {
	n, ok := v.Node(node)
	if !ok {
		return ""
	}
	if r, ok := v.images.get(imageKey(digest, platformOf(n))); ok {
		return r.ID
	}
	return ""
}
