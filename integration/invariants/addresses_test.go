package invariants

import (
	"net/netip"
	"testing"

	"github.com/musterhq/muster/cluster"
)

// addressed are facts that know their networks.
type addressed struct {
	*Facts
	network cluster.Network
}

func (a addressed) Network(id cluster.NetworkID) (*cluster.Network, bool) {
	return &a.network, id == a.network.ID
}

func TestAddressSafety(t *testing.T) {
	in := func(id string, addresses ...string) *cluster.Task {
		out := &cluster.Task{ID: cluster.TaskID(id), Service: "s/web", Generation: 1, Node: "n1", Desired: cluster.Running}
		for _, a := range addresses {
			out.Addresses = append(out.Addresses, cluster.TaskAddress{Network: "s/default", Address: netip.MustParseAddr(a)})
		}
		return out
	}
	over := in("over", "10.0.0.9")
	over.Observed = cluster.Observed{Phase: cluster.PhaseExited, Final: true}
	of := func(node string, t *cluster.Task) *cluster.Task {
		t.Node = cluster.NodeID(node)
		return t
	}
	for name, c := range map[string]struct {
		tasks  []*cluster.Task
		vip    string
		number uint16
		want   []Rule
	}{
		"all well":           {tasks: []*cluster.Task{in("1", "10.0.0.2"), in("2", "10.0.0.14"), of("", in("3"))}, vip: "10.1.0.2", number: 2},
		"one twice":          {tasks: []*cluster.Task{in("1", "10.0.0.2"), in("2", "10.0.0.2")}, vip: "10.1.0.2", number: 2, want: []Rule{AddressTwice}},
		"none":               {tasks: []*cluster.Task{in("1")}, vip: "10.1.0.2", number: 2, want: []Rule{WrongAddress}},
		"of a node gone":     {tasks: []*cluster.Task{of("nobody", in("1"))}, vip: "10.1.0.2", number: 2},
		"two in one":         {tasks: []*cluster.Task{in("1", "10.0.0.2", "10.0.0.3")}, vip: "10.1.0.2", number: 2, want: []Rule{WrongAddress}},
		"the gateway's":      {tasks: []*cluster.Task{in("1", "10.0.0.1")}, vip: "10.1.0.2", number: 2, want: []Rule{WrongAddress}},
		"elsewhere":          {tasks: []*cluster.Task{in("1", "10.0.1.2")}, vip: "10.1.0.2", number: 2, want: []Rule{WrongAddress}},
		"held when over":     {tasks: []*cluster.Task{over}, vip: "10.1.0.2", number: 2, want: []Rule{WrongAddress}},
		"services share one": {vip: "10.1.0.1", number: 2, want: []Rule{AddressTwice}},
		"nodes share one":    {vip: "10.1.0.2", number: 1, want: []Rule{AddressTwice}},
	} {
		t.Run(name, func(t *testing.T) {
			web := &cluster.Service{ID: "s/web", Generation: 1, Address: netip.MustParseAddr("10.1.0.1")}
			web.Spec.Template.Networks = []cluster.NetworkLink{{Network: "s/default"}}
			db := &cluster.Service{ID: "s/db", Address: netip.MustParseAddr(c.vip)}
			nodes := []*cluster.Node{{ID: "n1", Number: 1}, {ID: "n2", Number: c.number}, {ID: "n3"}, {ID: "n4"}}
			s := addressed{NewFacts(nodes, []*cluster.Service{web, db}, c.tasks), cluster.Network{ID: "s/default", Subnet: netip.MustParsePrefix("10.0.0.0/28")}}
			check(t, AddressSafety(s), c.want...)
		})
	}
}
