package lb

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
)

var compare = cmp.Options{
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreUnexported(Frontend{}),
	cmpopts.IgnoreFields(Input{}, "Network"), // network.FromView's, which has tests of its own
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
}

func tcp(port uint16) Port { return Port{Protocol: TCP, Number: port} }

func endpoint(s cluster.ServiceID, port uint16, task cluster.TaskID, node cluster.NodeID, addr string) Endpoint {
	return Endpoint{Service: s, Port: tcp(port), Task: task, Node: node, Address: netip.MustParseAddrPort(addr)}
}

func TestBuild(t *testing.T) {
	web, api := cluster.ServiceID("shop/web"), cluster.ServiceID("shop/api")
	e1 := endpoint(web, 80, "T1", "N1", "10.0.0.1:40001")
	e2 := endpoint(web, 80, "T2", "N2", "10.0.0.2:40001")
	backend := func(e Endpoint) Backend { return Backend{Task: e.Task, Node: e.Node, Addr: e.Address} }
	front := func(s cluster.ServiceID, port uint16, b ...Backend) Frontend {
		return Frontend{Service: s, Port: tcp(port), Backends: b}
	}
	tests := map[string]struct {
		in   Input
		want Table
	}{
		"nothing": {},
		"a port without tasks is listened on": {
			in:   Input{Epoch: 1, Index: 5, Services: []ServicePorts{{Service: web, Ports: []Port{tcp(80)}}}},
			want: Table{Epoch: 1, Index: 5, Frontends: []Frontend{front(web, 80)}},
		},
		"tasks are ordered by ID": {
			in: Input{
				Services:  []ServicePorts{{Service: web, Ports: []Port{tcp(80)}}},
				Endpoints: []Endpoint{e2, e1},
			},
			want: Table{Frontends: []Frontend{front(web, 80, backend(e1), backend(e2))}},
		},
		"a task counts once for a port": {
			in: Input{
				Services:  []ServicePorts{{Service: web, Ports: []Port{tcp(80)}}},
				Endpoints: []Endpoint{e1, endpoint(web, 80, "T1", "N1", "10.0.0.1:40002"), e1},
			},
			want: Table{Frontends: []Frontend{front(web, 80, backend(e1))}},
		},
		"a dead node has no backends": {
			in: Input{
				Services:  []ServicePorts{{Service: web, Ports: []Port{tcp(80)}}},
				Endpoints: []Endpoint{e1, e2},
				Down:      []cluster.NodeID{"N9", "N1"},
			},
			want: Table{Frontends: []Frontend{front(web, 80, backend(e2))}, Down: []cluster.NodeID{"N1", "N9"}},
		},
		"the first service keeps a port": {
			in: Input{
				Services: []ServicePorts{{Service: web, Ports: []Port{tcp(80), tcp(443)}}, {Service: api, Ports: []Port{tcp(80), tcp(8080), tcp(80)}}},
				Endpoints: []Endpoint{
					e1, endpoint(api, 80, "T3", "N1", "10.0.0.1:40003"), endpoint(api, 8080, "T3", "N1", "10.0.0.1:40003"),
				},
			},
			want: Table{
				Frontends: []Frontend{
					front(web, 80, backend(e1)), front(web, 443),
					front(api, 8080, Backend{Task: "T3", Node: "N1", Addr: netip.MustParseAddrPort("10.0.0.1:40003")}),
				},
				Conflicts: []Conflict{{Port: tcp(80), Service: api, Holder: web}},
			},
		},
		"an endpoint without an address, service or port is left out": {
			in: Input{
				Services: []ServicePorts{{Service: web, Ports: []Port{tcp(80)}}},
				Endpoints: []Endpoint{
					{Service: web, Port: tcp(80), Task: "T1", Node: "N1"},
					endpoint(api, 80, "T2", "N1", "10.0.0.1:1"), endpoint(web, 81, "T3", "N1", "10.0.0.1:2"),
				},
			},
			want: Table{Frontends: []Frontend{front(web, 80)}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(&tt.want, Build(tt.in), compare); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConflictNamesBothServices(t *testing.T) {
	got := Conflict{Port: tcp(80), Service: "b/api", Holder: "a/web"}.String()
	want := "b/api: port 80/tcp is already published by a/web; publish it on another port"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNewer(t *testing.T) {
	at := func(epoch, index uint64) *Table { return &Table{Epoch: epoch, Index: index} }
	tests := []struct {
		a, b *Table
		want bool
	}{
		{at(1, 5), at(1, 4), true},
		{at(1, 5), at(1, 5), false},
		{at(1, 4), at(1, 5), false},
		{at(2, 1), at(1, 900), true},
		{at(1, 900), at(2, 1), false},
		{&Table{Epoch: 1, Index: 5, Weighed: 2}, &Table{Epoch: 1, Index: 5, Weighed: 1}, true},
		{&Table{Epoch: 1, Index: 4, Weighed: 2}, &Table{Epoch: 1, Index: 5, Weighed: 1}, false},
	}
	for _, tt := range tests {
		if got := tt.a.Newer(tt.b); got != tt.want {
			t.Errorf("%d/%d newer than %d/%d: %v, want %v", tt.a.Epoch, tt.a.Index, tt.b.Epoch, tt.b.Index, got, tt.want)
		}
	}
	in := Input{Epoch: 1, Index: 5, Weighed: 2}
	if Build(in).Newer(Position(in)) {
		t.Error("a table is newer than its own position")
	}
}

func TestFrontendFindsExactlyThePublishedPorts(t *testing.T) {
	table := Build(Input{Services: []ServicePorts{{Service: "s/a", Ports: []Port{tcp(443), tcp(80), tcp(9000)}}}})
	for _, port := range []uint16{80, 443, 9000} {
		f, ok := table.Frontend(tcp(port))
		if !ok || f.Port != tcp(port) {
			t.Errorf("port %d: got %v, %v", port, f, ok)
		}
	}
	for _, p := range []Port{tcp(81), tcp(0), {Protocol: "udp", Number: 80}} {
		if f, ok := table.Frontend(p); ok {
			t.Errorf("%v: found %v", p, f)
		}
	}
}

func balances() *rapid.Generator[cluster.Balance] {
	return rapid.Custom(func(t *rapid.T) cluster.Balance {
		b := cluster.Balance{
			Policy: rapid.SampledFrom([]cluster.BalancePolicy{"", cluster.RoundRobin, cluster.Random, cluster.LeastRequest, cluster.Weighted}).Draw(t, "policy"),
			Local:  rapid.Bool().Draw(t, "local"),
		}
		if rapid.IntRange(0, 19).Draw(t, "by source") == 0 { // which takes longer to build
			b.Policy = cluster.Maglev
		}
		if rapid.Bool().Draw(t, "slow") {
			b.SlowStart = time.Minute
		}
		return b
	})
}

func inputs() *rapid.Generator[Input] {
	return rapid.Custom(func(t *rapid.T) Input {
		service := rapid.SampledFrom([]cluster.ServiceID{"a/a", "a/b", "b/a", "b/b"})
		node := rapid.SampledFrom([]cluster.NodeID{"N1", "N2", "N3", "N4"})
		port := rapid.Custom(func(t *rapid.T) Port { return tcp(rapid.Uint16Range(80, 85).Draw(t, "port")) })
		ports := rapid.Custom(func(t *rapid.T) ServicePorts {
			return ServicePorts{Service: service.Draw(t, "service"), Ports: rapid.SliceOfN(port, 0, 4).Draw(t, "ports"), Balance: balances().Draw(t, "balance")}
		})
		task := rapid.SampledFrom([]cluster.TaskID{"T1", "T2", "T3", "T4", "T5", "T6"})
		ep := rapid.Custom(func(t *rapid.T) Endpoint {
			e := Endpoint{Service: service.Draw(t, "service"), Port: port.Draw(t, "port"), Task: task.Draw(t, "task"), Node: node.Draw(t, "node")}
			if rapid.IntRange(0, 9).Draw(t, "known") > 0 {
				e.Address = netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), rapid.Uint16Range(1, 9).Draw(t, "bound"))
			}
			return e
		})
		return Input{
			Epoch: 1, Index: rapid.Uint64().Draw(t, "index"),
			Services:  rapid.SliceOfNDistinct(ports, 0, 4, func(s ServicePorts) cluster.ServiceID { return s.Service }).Draw(t, "services"),
			Endpoints: rapid.SliceOfN(ep, 0, 20).Draw(t, "endpoints"),
			Down:      rapid.SliceOfNDistinct(node, 0, 4, rapid.ID).Draw(t, "down"),
			Weights: rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) cluster.NodeWeight {
				return cluster.NodeWeight{Node: node.Draw(t, "of"), Weight: rapid.IntRange(cluster.MinNodeWeight, cluster.MaxNodeWeight).Draw(t, "weight")}
			}), 0, 4, func(w cluster.NodeWeight) cluster.NodeID { return w.Node }).Draw(t, "weights"),
		}
	})
}

func TestBuildProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := inputs().Draw(t, "in")
		table := Build(in)
		for i, f := range table.Frontends {
			if i > 0 && table.Frontends[i-1].Port.compare(f.Port) >= 0 {
				t.Fatalf("ports %v and %v are out of order or double", table.Frontends[i-1].Port, f.Port)
			}
			seen := map[cluster.TaskID]bool{}
			for _, b := range f.Backends {
				if slices.Contains(in.Down, b.Node) {
					t.Fatalf("port %v leads to dead node %s", f.Port, b.Node)
				}
				if seen[b.Task] {
					t.Fatalf("port %v has task %s twice", f.Port, b.Task)
				}
				seen[b.Task] = true
				if !slices.Contains(in.Endpoints, Endpoint{f.Service, f.Port, b.Task, b.Node, b.Addr, b.Target, b.Checked}) {
					t.Fatalf("port %v of %s has an invented backend %v", f.Port, f.Service, b)
				}
			}
		}
		for _, s := range in.Services {
			for _, p := range s.Ports {
				f, ok := table.Frontend(p)
				if !ok {
					t.Fatalf("port %v of %s is lost", p, s.Service)
				}
				if f.Service != s.Service && !slices.Contains(table.Conflicts, Conflict{p, s.Service, f.Service}) {
					t.Fatalf("%s lost port %v to %s and is not told", s.Service, p, f.Service)
				}
			}
		}
	})
}

func TestBuildIgnoresTheOrderOfEndpoints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := inputs().Draw(t, "in")
		// One task has one node, so that a task which is told twice is ambiguous in its address alone.
		for i := range in.Endpoints {
			in.Endpoints[i].Node = cluster.NodeID("N" + string(in.Endpoints[i].Task[1:]))
		}
		shuffled := in
		shuffled.Endpoints = slices.Clone(in.Endpoints)
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		r.Shuffle(len(shuffled.Endpoints), func(i, j int) {
			shuffled.Endpoints[i], shuffled.Endpoints[j] = shuffled.Endpoints[j], shuffled.Endpoints[i]
		})
		if diff := cmp.Diff(Build(in), Build(shuffled), compare); diff != "" {
			t.Fatalf("order matters (-one +other):\n%s", diff)
		}
	})
}
