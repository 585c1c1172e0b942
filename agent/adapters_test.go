package agent

import (
	"testing"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// A call that was let in while the node voted may look at the state when it does
// not any more.
func TestStateOfANodeThatDoesNotVote(t *testing.T) {
	v, ok := stateOf{&member{}}.View()
	if ok {
		t.Error("a node without a vote holds replicated state")
	}
	if _, found := v.Sealed("registry/example.org"); found {
		t.Error("it holds a sealed value")
	}
	if _, found := v.Node(cluster.NodeID("N1")); found {
		t.Error("it knows a node")
	}
	if version, oldest := v.Commands(); version != state.Version || oldest != nil {
		t.Errorf("it proposes version %d because of %v", version, oldest)
	}
	for s := range v.Services() {
		t.Errorf("it knows service %s", s.ID)
	}
}
