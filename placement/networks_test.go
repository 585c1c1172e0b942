package placement

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// Where a network has no address left, no node is chosen, and it is the network
// that people are told of.
func TestNoNodeForATaskWithoutAnAddress(t *testing.T) {
	w := newWorld(t, named("n1")...)
	spec := cluster.ServiceSpec{Mode: cluster.Replicated}
	spec.Template.Networks = []cluster.NetworkLink{{Network: "s/tiny"}}
	w.do(state.PutStack{Stack: "s", Services: []state.NamedSpec{{Name: "web", Spec: spec}}, Networks: []cluster.NetworkSpec{{Name: "tiny", Subnet: netip.MustParsePrefix("10.200.0.0/28")}}})
	for range 13 {
		w.task("s/web", on("n1"))
	}
	w.task("s/web")
	w.service("other/web", nil)
	w.task("other/web")
	p := w.plan()
	if got := w.nodesOf(p); len(got) != 2 || got[0] != "" || got[1] != "n1" {
		t.Errorf("nodes %q: only the service without a network has a place", got)
	}
	if len(p.Pending) != 1 || !strings.Contains(p.Pending[0].Reason, "network s/tiny is full") {
		t.Errorf("pending: %+v", p.Pending)
	}
}
