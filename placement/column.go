package placement

import (
	"strings"

	"github.com/musterhq/muster/cluster"
)

// column is what all nodes have for one key, each value once.
type column struct {
	values []string
	ids    []int32 // by node: the index of its value
}

// column finds the nodes' values of a key, once in a plan.
func (p *plan) column(key string) *column {
	if c, ok := p.columns[key]; ok {
		return c
	}
	c := &column{ids: make([]int32, len(p.snap.nodes))}
	known := map[string]int32{}
	for i, n := range p.snap.nodes {
		value := n.Value(key)
		id, ok := known[value]
		if !ok {
			id = int32(len(c.values))
			known[value] = id
			c.values = append(c.values, value)
		}
		c.ids[i] = id
	}
	p.columns[key] = c
	return c
}

// nobodyHas reports whether the key is a label that every node lacks.
func (p *plan) nobodyHas(key string) bool {
	values := p.column(key).values
	return strings.Contains(key, ".labels.") && len(values) == 1 && values[0] == ""
}

// matching are the nodes that satisfy a constraint, found once in a plan. The
// constraint is asked once for each value that nodes have.
func (p *plan) matching(c cluster.Constraint) bitset {
	if b, ok := p.matches[c]; ok {
		return b
	}
	col := p.column(c.Key)
	ok, matches := make([]bool, len(col.values)), c.Matcher()
	for id, value := range col.values {
		ok[id] = matches(value)
	}
	b := newBitset(len(col.ids))
	for i, id := range col.ids {
		if ok[id] {
			b.set(i)
		}
	}
	p.matches[c] = b
	return b
}

// spread are the domains that a list of labels divides the nodes into: a tree
// of the values of the first label, within each those of the second, and so on.
// Domain 0 is the whole cluster, and a domain's number is above its parent's.
type spread struct {
	labels  []string
	leaf    []int32 // by node: its innermost domain
	domains []domain
}

type domain struct {
	parent int32
	value  string // of the label of its level
}

// spread finds the domains of a list of labels, once in a plan.
func (p *plan) spread(labels []string) *spread {
	key := strings.Join(labels, "\x00")
	if s, ok := p.spreads[key]; ok {
		return s
	}
	s := &spread{labels: labels, leaf: make([]int32, len(p.snap.nodes)), domains: []domain{{parent: -1}}}
	for _, label := range labels {
		s.divide(p.column(label))
	}
	p.spreads[key] = s
	return s
}

// divide adds a level: every domain falls into the values of the column.
func (s *spread) divide(c *column) {
	type cell struct{ parent, value int32 }
	known := map[cell]int32{}
	for i, parent := range s.leaf {
		at := cell{parent, c.ids[i]}
		id, ok := known[at]
		if !ok {
			id = int32(len(s.domains))
			known[at] = id
			s.domains = append(s.domains, domain{parent, c.values[at.value]})
		}
		s.leaf[i] = id
	}
}
