package placement

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/musterhq/muster/cluster"
)

// Score is why a node was the best of those that could take a task. Its parts
// are compared in order, and less is better; among equals a hash of the node
// and the plan's seed decides.
type Score struct {
	// Spread is how many of the service's tasks share the node's value of
	// each preferred label, and of those before it.
	Spread []Domain
	// Service is how many of the service's tasks the node has.
	Service int
	// Reserved is the larger of the node's shares of CPU and memory that its
	// tasks hold with this one, in hundredths of a percent. Tasks that
	// reserve nothing count as a tenth of a core and 64 MiB.
	Reserved int
	// Tasks is how many tasks the node has, of all services.
	Tasks int
}

// Domain is a value of a label and the tasks of a service there.
type Domain struct {
	Label, Value string
	Tasks        int
}

func (s Score) String() string {
	var b strings.Builder
	for _, d := range s.Spread {
		fmt.Fprintf(&b, "%d of the service in %s=%s, ", d.Tasks, d.Label, d.Value)
	}
	fmt.Fprintf(&b, "%d on the node, %d.%02d%% reserved with this one, %d tasks", s.Service, s.Reserved/100, s.Reserved%100, s.Tasks)
	return b.String()
}

// candidate is a node that may take the tasks of a group, and its score.
type candidate struct {
	node     int // index
	domains  []int
	service  int
	reserved int
	tasks    int
}

// compare orders candidates, better ones first.
func (g *group) compare(a, b *candidate) int {
	for i, d := range a.domains {
		if c := cmp.Compare(g.domains[d], g.domains[b.domains[i]]); c != 0 {
			return c
		}
	}
	if a.service != b.service {
		return cmp.Compare(a.service, b.service)
	}
	if a.reserved != b.reserved {
		return cmp.Compare(a.reserved, b.reserved)
	}
	if a.tasks != b.tasks {
		return cmp.Compare(a.tasks, b.tasks)
	}
	p := g.plan
	return cmp.Or(cmp.Compare(p.ties[a.node], p.ties[b.node]), cmp.Compare(p.nodes[a.node].ID, p.nodes[b.node].ID))
}

// reserved is the larger share of a node's capacity that load takes, in
// hundredths of a percent.
func reserved(load, capacity cluster.Resources) int {
	share := func(part, whole int64) int {
		if whole <= 0 {
			return 100_00
		}
		return int(float64(part) / float64(whole) * 100_00)
	}
	return max(share(load.MilliCPU, capacity.MilliCPU), share(load.Memory, capacity.Memory))
}

// labelValue is the node's value of a label to spread over.
func labelValue(n *cluster.Node, key string) string {
	if name, ok := strings.CutPrefix(key, "engine.labels."); ok {
		return n.EngineLabels[name]
	}
	return n.Labels[strings.TrimPrefix(key, "node.labels.")]
}

// tie gives every node its place among equals.
func tie(seed uint64, id cluster.NodeID) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	// The finaliser of SplitMix64 spreads neighbouring seeds.
	x := h.Sum64() ^ seed*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
