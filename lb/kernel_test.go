package lb

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/network"
)

// inContainer gives tasks "T1", "T2", ... the addresses 10.194.0.1, .2, ...
func inContainer(id cluster.TaskID) netip.Addr {
	var n byte
	_, _ = fmt.Sscanf(string(id), "T%d", &n)
	return netip.AddrFrom4([4]byte{10, 194, 0, n})
}

// published is a table of one port: tasks T1, T2, ... of the given nodes.
func published(b cluster.Balance, nodes ...cluster.NodeID) *Table {
	in := Input{Services: []ServicePorts{{Service: "shop/web", Ports: []Port{tcp(80)}, Balance: b}}}
	for i, n := range nodes {
		e := endpoint("shop/web", 80, cluster.TaskID(fmt.Sprintf("T%d", i+1)), n, fmt.Sprintf("10.0.0.1:%d", 40000+i))
		e.Target, e.Checked = 8080, true
		in.Endpoints = append(in.Endpoints, e)
	}
	return Build(in)
}

func TestKernelPorts(t *testing.T) {
	at := func(of int, tasks ...string) []network.PublishedPort {
		p := network.PublishedPort{Protocol: TCP, Port: 80, Of: of}
		for _, a := range tasks {
			p.Tasks = append(p.Tasks, netip.MustParseAddrPort(a))
		}
		return []network.PublishedPort{p}
	}
	old := published(cluster.Balance{}, "N1", "N2")
	old.Frontends[0].Backends[0].Target = 0
	unchecked := published(cluster.Balance{}, "N1")
	unchecked.Frontends[0].Backends[0].Checked = false
	for name, test := range map[string]struct {
		table *Table
		want  []network.PublishedPort
	}{
		"the share of this node's tasks":     {published(cluster.Balance{}, "N1", "N2", "N1"), at(3, "10.194.0.1:8080", "10.194.0.3:8080")},
		"all are here":                       {published(cluster.Balance{Policy: cluster.RoundRobin}, "N1"), at(1, "10.194.0.1:8080")},
		"by chance":                          {published(cluster.Balance{Policy: cluster.Random}, "N1"), at(1, "10.194.0.1:8080")},
		"those of the asked node come first": {published(cluster.Balance{Local: true}, "N1", "N2"), at(1, "10.194.0.1:8080")},
		"none is here":                       {published(cluster.Balance{}, "N2", "N3"), nil},
		"there are none":                     {published(cluster.Balance{}), nil},
		"the kernel counts no connections":   {published(cluster.Balance{Connections: 10}, "N1"), nil},
		"nor which are open":                 {published(cluster.Balance{Policy: cluster.LeastRequest}, "N1"), nil},
		"and knows no weights":               {published(cluster.Balance{Policy: cluster.Weighted}, "N1"), nil},
		"nor which client had whom":          {published(cluster.Balance{Policy: cluster.Maglev}, "N1"), nil},
		"nor who is new":                     {published(cluster.Balance{SlowStart: time.Second}, "N1"), nil},
		"and writes no headers":              {published(cluster.Balance{ProxyProtocol: cluster.ProxyProtocolV2}, "N1"), nil},
		"and never gives way":                {published(cluster.Balance{Degrade: true}, "N1"), nil},
		"a task without an address":          {published(cluster.Balance{}, append(make([]cluster.NodeID, 8), "N1")...), nil},
		"a task whose port is not known":     {old, nil},
		"tasks that may not listen yet":      {unchecked, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := KernelPorts(test.table, "N1", func(id cluster.TaskID) netip.Addr {
				if id == "T9" {
					return netip.Addr{}
				}
				return inContainer(id)
			})
			if diff := cmp.Diff(test.want, got, compare); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever the tasks are, each gets its share: those of the node from the kernel,
// the others of what the kernel leaves.
func TestKernelLeavesOthersTheirShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := rapid.SliceOfN(rapid.SampledFrom([]cluster.NodeID{"N1", "N2", "N3"}), 1, 12).Draw(t, "nodes")
		table := published(cluster.Balance{}, nodes...)
		ports := KernelPorts(table, "N1", inContainer)
		here := 0
		for _, n := range nodes {
			if n == "N1" {
				here++
			}
		}
		if here == 0 {
			if len(ports) != 0 {
				t.Fatalf("none is here, and the kernel serves %v", ports)
			}
			return
		}
		if len(ports) != 1 || len(ports[0].Tasks) != here || ports[0].Of != len(nodes) {
			t.Fatalf("of %d tasks %d are here, and the kernel serves %v", len(nodes), here, ports)
		}
		f := &table.Frontends[0]
		others := len(nodes) - here
		counts := map[cluster.NodeID]int{}
		for turn := range uint64(12 * others) {
			order := slices.Collect(f.Order(Pick{Turn: turn, Node: "N1", Elsewhere: true}))
			if len(order) != len(nodes) {
				t.Fatalf("a connection tries %d of %d", len(order), len(nodes))
			}
			counts[cluster.NodeID(order[0].Task)]++
		}
		for task, n := range counts {
			if n != 12 {
				t.Errorf("of %d connections for %d others, %s got %d", 12*others, others, task, n)
			}
		}
	})
}
