package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
)

// Weights and tables come by different ways; what the balancers get has the
// newest of both, and each is newer than the one before.
func TestTableHasTheNewestWeights(t *testing.T) {
	k := &known{}
	w := []cluster.NodeWeight{{Node: "N1", Weight: 8}}
	first := k.setTable(lb.Input{Epoch: 1, Index: 5})
	weighed := k.weigh(api.Weights{ID: 7, Nodes: w})
	again := k.weigh(api.Weights{ID: 8, Nodes: w})
	next := k.setTable(lb.Input{Epoch: 1, Index: 6})
	all := []lb.Input{first, weighed, again, next}
	for i := 1; i < len(all); i++ {
		if !lb.Build(all[i]).Newer(lb.Build(all[i-1])) {
			t.Errorf("%+v is not newer than %+v", all[i], all[i-1])
		}
	}
	if d := cmp.Diff(w, next.Weights); d != "" || k.weightsID() != 8 {
		t.Errorf("weights %d (-want +got):\n%s", k.weightsID(), d)
	}
}
