package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
)

func TestIdleNodesWeighMore(t *testing.T) {
	got := weigh(nil, []load{{"n1", 0}, {"n2", 0.5}, {"n3", 1}})
	want := []cluster.NodeWeight{{Node: "n1", Weight: 8}, {Node: "n2", Weight: 5}, {Node: "n3", Weight: 1}}
	if d := cmp.Diff(want, got.Nodes); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if again := weigh(got.Nodes, []load{{"n1", 0}, {"n2", 0.5}, {"n3", 1}}); again.ID != got.ID {
		t.Error("equal weights are told apart")
	}
	if other := weigh(nil, []load{{"n1", 0}, {"n2", 0}, {"n3", 1}}); other.ID == got.ID {
		t.Error("different weights are not told apart")
	}
}

// A load that swings about the middle between two weights changes none.
func TestSmallSwingsChangeNoWeight(t *testing.T) {
	const middle = 0.5 // between 4 and 5
	w := weigh(nil, []load{{"n1", middle}})
	for _, busy := range []float64{middle + 0.02, middle - 0.02, middle + 0.03} {
		if next := weigh(w.Nodes, []load{{"n1", busy}}); next.ID != w.ID {
			t.Fatalf("at %g the weights are %v, they were %v", busy, next.Nodes, w.Nodes)
		}
	}
	if next := weigh(w.Nodes, []load{{"n1", 0.9}}); next.Nodes[0].Weight != 2 {
		t.Errorf("a node that is busy weighs %d", next.Nodes[0].Weight)
	}
}
