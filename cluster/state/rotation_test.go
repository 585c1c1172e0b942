package state

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
)

func sealedAs(s string) cluster.Sealed {
	return cluster.Sealed{Key: "k", Nonce: []byte("n"), Ciphertext: []byte(s)}
}

func (w *world) ident() cluster.Identity {
	id, _ := w.View().Cluster()
	return id
}

func TestGossipKeyRotates(t *testing.T) {
	w := newWorld(t, "n1")
	w.refused(StepRotation{Gossip: true}, CodeConflict)
	w.refused(RotateGossip{}, CodeInvalid)
	old := w.ident()
	w.must(RotateGossip{Key: sealedAs("new")})
	w.refused(RotateGossip{Key: sealedAs("newer")}, CodeConflict)
	id := w.ident()
	if id.Trust != 1 || !cmp.Equal(id.GossipKey, old.GossipKey) || id.GossipRotation.Phase != cluster.Install {
		t.Errorf("begun: %+v", id)
	}
	w.refused(StepRotation{Trust: 0, Gossip: true}, CodeConflict)
	w.refused(StepRotation{Trust: 1}, CodeConflict)
	w.refused(StepRotation{Trust: 1, Gossip: true, CA: true}, CodeConflict)
	w.must(StepRotation{Trust: 1, Gossip: true})
	id = w.ident()
	if id.Trust != 2 || !cmp.Equal(id.GossipKey, sealedAs("new")) || !cmp.Equal(id.GossipRotation.Key, old.GossipKey) || !id.EncryptsSince().After(old.EncryptsSince()) {
		t.Errorf("in use: %+v", id)
	}
	w.must(StepRotation{Trust: 2, Gossip: true})
	if id = w.ident(); id.Trust != 3 || id.GossipRotation != nil || !cmp.Equal(id.GossipKey, sealedAs("new")) {
		t.Errorf("over: %+v", id)
	}
}

// A node that goes knows the gossip key, and the one that follows if that is on
// its way: another rotation has to begin after it went.
func TestNodeThatGoesExposesTheGossipKey(t *testing.T) {
	w := newWorld(t, "n1", "n2", "n3", "n4")
	w.must(RemoveNode{ID: "n4"}) // as an older leader says it
	if w.ident().GossipExposed {
		t.Error("exposed although nobody said so")
	}
	w.must(RemoveNode{ID: "n3", Exposed: true})
	if id := w.ident(); !id.GossipExposed || id.Trust != 0 {
		t.Errorf("removed: %+v", id)
	}
	w.must(RotateGossip{Key: sealedAs("new")})
	if w.ident().GossipExposed {
		t.Error("the new key is exposed although nobody went since")
	}
	w.must(RemoveNode{ID: "n2", Exposed: true})
	for trust := uint64(1); trust <= 2; trust++ {
		w.must(StepRotation{Trust: trust, Gossip: true})
		if !w.ident().GossipExposed {
			t.Errorf("step %d: who went during the rotation knows its key", trust)
		}
	}
	w.must(RotateGossip{Key: sealedAs("newer")})
	if w.ident().GossipExposed {
		t.Error("exposed after another rotation began")
	}
}

func TestAuthorityRotates(t *testing.T) {
	w := newWorld(t, "n1")
	w.refused(RotateCA{CA: []byte("new")}, CodeInvalid)
	w.refused(RotateCA{CA: []byte("pem"), Key: sealedAs("new")}, CodeInvalid)
	old := w.ident()
	w.must(RotateCA{CA: []byte("new"), Key: sealedAs("new")})
	w.refused(RotateCA{CA: []byte("newer"), Key: sealedAs("newer")}, CodeConflict)
	if _, ok := w.View().Token("tok"); !ok {
		t.Error("the tokens ended while their authority signs")
	}
	w.must(RotateGossip{Key: sealedAs("gossip")}) // at the same time
	w.refused(StepRotation{Trust: 1, CA: true}, CodeConflict)
	w.must(StepRotation{Trust: 2, CA: true, Gossip: true})
	id := w.ident()
	if string(id.CA) != "new" || !cmp.Equal(id.CAKey, sealedAs("new")) || !bytes.Equal(id.CARotation.CA, old.CA) || id.CARotation.Key != nil {
		t.Errorf("in use: %+v", id)
	}
	if _, ok := w.View().Token("tok"); ok {
		t.Error("a token names an authority that signs no more")
	}
	w.must(StepRotation{Trust: 4, CA: true})
	if id = w.ident(); id.Trust != 5 || id.CARotation != nil || id.GossipRotation == nil || string(id.CA) != "new" {
		t.Errorf("over: %+v", id)
	}
	var actions []string
	for e := range w.View().Events(0) {
		if e.Type == "cluster" {
			actions = append(actions, e.Action)
		}
	}
	if d := cmp.Diff([]string{"created", "ca-installed", "gossip-key-installed", "gossip-key-used", "ca-used", "ca-rotated"}, actions); d != "" {
		t.Errorf("events:\n%s", d)
	}
}

func TestRotationIsInSnapshots(t *testing.T) {
	w := newWorld(t, "n1")
	w.must(RotateCA{CA: []byte("new"), Key: sealedAs("new")})
	w.must(RotateGossip{Key: sealedAs("gossip")})
	var b bytes.Buffer
	if err := w.View().WriteSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	back, err := ReadSnapshot(&b)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := back.View().Cluster()
	if d := cmp.Diff(w.ident(), got); d != "" {
		t.Error(d)
	}
}
