package controller

import (
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func sealed(s string) cluster.Sealed { return cluster.Sealed{Ciphertext: []byte(s)} }

// hears makes every node hold the version and be certified by the authority.
func hears(version uint64, authority string, nodes ...cluster.NodeID) map[cluster.NodeID]api.Heartbeat {
	out := map[cluster.NodeID]api.Heartbeat{}
	for _, n := range nodes {
		out[n] = api.Heartbeat{Node: n, Trust: version, Authority: authority}
	}
	return out
}

func (w *world) down(node cluster.NodeID) {
	w.do(state.Reconcile{Conditions: []state.NodeCondition{{Node: node, Condition: cluster.Down, Reason: "silent"}}})
}

func TestGossipKeyWaitsForEveryReadyNode(t *testing.T) {
	t0 := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w := newWorld(t, t0, "n1", "n2", "n3")
	if r := rotate(w.st.View(), hears(0, "a", "n1", "n2", "n3"), "a", t0.Add(time.Hour), 24*time.Hour); r.begin || r.step.CA || r.step.Gossip {
		t.Errorf("a rotation out of nothing: %+v", r)
	}
	if r := rotate(w.st.View(), nil, "a", t0.Add(24*time.Hour), 24*time.Hour); !r.begin {
		t.Error("a month is over, and no new key is due")
	}
	if r := rotate(w.st.View(), nil, "a", t0.Add(24*time.Hour), 0); r.begin {
		t.Error("a new key is due although that is turned off")
	}
	w.do(state.RotateGossip{Key: sealed("new")})
	for _, tc := range []struct {
		name    string
		heard   map[cluster.NodeID]api.Heartbeat
		step    bool
		lagging []cluster.NodeID
	}{
		{"a new leader has heard of nobody", nil, false, []cluster.NodeID{"n1", "n2", "n3"}},
		{"one has not followed", hears(1, "a", "n1", "n2"), false, []cluster.NodeID{"n3"}},
		{"all have the step before", hears(0, "a", "n1", "n2", "n3"), false, []cluster.NodeID{"n1", "n2", "n3"}},
		{"all have followed", hears(1, "a", "n1", "n2", "n3"), true, nil},
	} {
		r := rotate(w.st.View(), tc.heard, "a", t0, time.Hour)
		if r.step.Gossip != tc.step || !slices.Equal(r.lagging, tc.lagging) || r.begin {
			t.Errorf("%s: %+v", tc.name, r)
		}
	}
	w.down("n3")
	if r := rotate(w.st.View(), hears(1, "a", "n1", "n2"), "a", t0, time.Hour); !r.step.Gossip {
		t.Errorf("a node that is down holds the key up: %+v", r)
	}
}

// A node that went knows the gossip key: another one is due at once, after the
// rotation that is under way.
func TestGossipKeyIsReplacedWhenANodeGoes(t *testing.T) {
	t0 := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w := newWorld(t, t0, "n1", "n2", "n3")
	w.do(state.RemoveNode{ID: "n3", Exposed: true})
	for _, period := range []time.Duration{0, 24 * time.Hour} {
		if r := rotate(w.st.View(), hears(0, "a", "n1", "n2"), "a", t0, period); !r.begin {
			t.Errorf("every %s: no new key is due: %+v", period, r)
		}
	}
	w.do(state.RotateGossip{Key: sealed("new")})
	w.do(state.RemoveNode{ID: "n2", Exposed: true})
	for trust := uint64(1); trust <= 2; trust++ {
		r := rotate(w.st.View(), hears(trust, "a", "n1"), "a", t0, 0)
		if r.begin || !r.step.Gossip {
			t.Errorf("step %d of a rotation that a node knows: %+v", trust, r)
		}
		w.do(state.StepRotation{Trust: trust, Gossip: true})
	}
	if r := rotate(w.st.View(), hears(3, "a", "n1"), "a", t0, 0); !r.begin {
		t.Errorf("who went meanwhile knows the key: %+v", r)
	}
}

func TestAuthorityEndsWhenAllHaveRenewed(t *testing.T) {
	t0 := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w := newWorld(t, t0, "n1", "n2")
	w.do(state.RotateCA{CA: []byte("new"), Key: sealed("new")})
	if r := rotate(w.st.View(), hears(1, "old", "n1", "n2"), "old", t0, 0); !r.step.CA || r.step.Gossip {
		t.Errorf("all trust both: %+v", r)
	}
	w.do(state.StepRotation{Trust: 1, CA: true})
	half := hears(2, "new", "n1")
	half["n2"] = api.Heartbeat{Trust: 2, Authority: "old"}
	if r := rotate(w.st.View(), half, "new", t0, 0); r.step.CA || !slices.Equal(r.lagging, []cluster.NodeID{"n2"}) {
		t.Errorf("one has the old certificate: %+v", r)
	}
	if r := rotate(w.st.View(), hears(2, "new", "n1", "n2"), "new", t0, 0); !r.step.CA {
		t.Errorf("all have renewed: %+v", r)
	}
	w.down("n2")
	for wait, want := range map[time.Duration]bool{time.Hour: false, rotationPatience: true} {
		if r := rotate(w.st.View(), hears(2, "new", "n1"), "new", t0.Add(wait), 0); r.step.CA != want {
			t.Errorf("one is down for %s: %+v", wait, r)
		}
	}
}
