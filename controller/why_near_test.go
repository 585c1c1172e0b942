package controller

import (
	"testing"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// The answer says of every candidate how far from it the services are that the
// task is to be near to.
func TestWhySaysWhatIsNear(t *testing.T) {
	w := newWorld(t, t0, "a", "b", "c")
	for node, zone := range map[cluster.NodeID]string{"a": "x", "b": "x", "c": "y"} {
		w.do(state.LabelNode{Node: node, Set: map[string]string{cluster.ZoneLabel: zone}})
	}
	w.deploy(map[string]cluster.ServiceSpec{"db": spec(1, 100, constrained("node.id==a"))})
	w.settle()
	w.deploy(map[string]cluster.ServiceSpec{
		"db":  spec(1, 100, constrained("node.id==a")),
		"web": spec(1, 100, func(s *cluster.ServiceSpec) { s.Placement.Near = []string{"db"} }),
	})
	w.settle()
	got := map[string]string{}
	for _, c := range w.why(w.wanted(web)[0])[0].Candidates {
		got[c.Node] = c.Score.Near
	}
	if got["a"] != "node" || got["b"] != "zone" || got["c"] != "none" {
		t.Errorf("near to db: %v", got)
	}
	for _, c := range w.why(w.wanted(db)[0])[0].Candidates {
		if c.Score.Near != "" {
			t.Errorf("%s is %q for a service that wants to be near to none", c.Node, c.Score.Near)
		}
	}
}
