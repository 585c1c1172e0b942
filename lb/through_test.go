package lb

import (
	"iter"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/network"
)

func TestThrough(t *testing.T) {
	host := func(id cluster.NodeID, number uint16, key string) network.Host {
		return network.Host{Node: id, Number: number, Key: key, Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(number)})}
	}
	in := Input{
		Epoch: 1, Index: 2, Weighed: 3,
		Services: []ServicePorts{{Service: "shop/web", Ports: []Port{tcp(80)}}},
		Endpoints: []Endpoint{
			endpoint("shop/web", 80, "T1", "N1", "10.0.0.1:40001"), endpoint("shop/web", 80, "T2", "N2", "10.0.0.2:40001"),
			endpoint("shop/web", 80, "T3", "N3", "10.0.0.3:40001"),
			{Service: "shop/web", Port: tcp(80), Task: "T4", Node: "N2"},
		},
		Network: network.Input{
			Pool: netip.MustParsePrefix("10.192.0.0/11"), Encrypt: true,
			Hosts: []network.Host{host("N1", 1, "k1"), host("N2", 2, "k2"), host("N3", 3, "")},
		},
	}
	tests := map[string]struct {
		self   cluster.NodeID
		change func(*network.Input)
		want   []string
	}{
		"a node with a key":   {self: "N1", want: []string{"10.0.0.1:40001", "10.192.0.2:40001", "10.0.0.3:40001"}},
		"another one":         {self: "N2", want: []string{"10.192.0.1:40001", "10.0.0.2:40001", "10.0.0.3:40001"}},
		"one without":         {self: "N3", want: []string{"10.0.0.1:40001", "10.0.0.2:40001", "10.0.0.3:40001"}},
		"one that is no host": {self: "N9", want: []string{"10.0.0.1:40001", "10.0.0.2:40001", "10.0.0.3:40001"}},
		"not to be encrypted": {
			self: "N1", change: func(n *network.Input) { n.Encrypt = false },
			want: []string{"10.0.0.1:40001", "10.0.0.2:40001", "10.0.0.3:40001"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := in
			if tt.change != nil {
				tt.change(&in.Network)
			}
			before := slices.Clone(in.Endpoints)
			table := Build(in.Through(tt.self))
			var got []string
			for _, b := range table.Frontends[0].Backends {
				got = append(got, b.Addr.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("backends (-want +got):\n%s", diff)
			}
			if table.Newer(Position(in)) || Position(in).Newer(table) {
				t.Error("the table has another position than its input")
			}
			if diff := cmp.Diff(before, in.Endpoints, compare); diff != "" {
				t.Errorf("the input changed:\n%s", diff)
			}
		})
	}
}

// networkView has networks as well.
type networkView struct{ fakeView }

func (networkView) Settings() cluster.Settings { return cluster.Settings{} }

func (networkView) Networks() iter.Seq[*cluster.Network] {
	return slices.Values([]*cluster.Network{{ID: "shop/default", Number: 1}})
}

func TestFromViewTakesTheNetworks(t *testing.T) {
	v := networkView{fakeView{nodes: []*cluster.Node{{ID: "N1", Name: "n1", Number: 1}}}}
	got := FromView(v).Network
	if !got.Encrypt || len(got.Hosts) != 1 || len(got.Networks) != 1 || got.Pool != cluster.DefaultNetworkPool {
		t.Errorf("got %+v", got)
	}
}
