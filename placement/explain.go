package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/musterhq/muster/cluster"
)

// maxReasons bounds the groups of nodes that an explanation lists.
const maxReasons = 5

// explain says why none of the nodes takes the job: "2 nodes: 512 MiB short;
// 1 node: cordoned". Most frequent reasons come first. Constraints that exclude
// each other are said before.
func (p *plan) explain(j *job) string {
	if a, b, ok := contradiction(j.Constraints); ok {
		return fmt.Sprintf("%s and %s exclude each other; %s", a, b, p.reasons(j))
	}
	return p.reasons(j)
}

// contradiction finds two constraints that no value of their key satisfies: one
// names the value, the other refuses it.
func contradiction(list []cluster.Constraint) (a, b cluster.Constraint, ok bool) {
	named := map[string]cluster.Constraint{}
	for _, c := range list {
		if _, known := named[c.Key]; c.Op == cluster.Equal && !known {
			named[c.Key] = c
		}
	}
	for _, c := range list {
		if a, ok := named[c.Key]; ok && !c.Matcher()(a.Value) {
			return a, c, true
		}
	}
	return a, b, false
}

func (p *plan) reasons(j *job) string {
	if j.Pinned != "" {
		i, ok := p.snap.index[j.Pinned]
		if !ok {
			return fmt.Sprintf("its node %s is not in the cluster", j.Pinned)
		}
		var t tally
		t.add(p.refusal(i, j, false))
		return fmt.Sprintf("its node %s: %s", p.snap.nodes[i].Name, t.reasons()[0].text)
	}
	var t tally
	p.visits += len(p.snap.nodes)
	for i := range p.snap.nodes {
		t.add(p.refusal(i, j, false))
	}
	return t.String()
}

// reason is a refusal that some nodes share.
type reason struct {
	text  string
	nodes int
	kind  string // as that of the refusals
}

// kind is the same for refusals that are one reason: a shortage has one for the
// dimensions that it is in, whatever the amounts.
func (r *refusal) kind() string {
	if r.text != "" {
		return r.text
	}
	return shortKind(r.short.dimensions())
}

func shortKind(dimensions int) string { return "short " + strconv.Itoa(dimensions) }

// dimensions has a bit for each dimension in which there is something.
func (v *vector) dimensions() int {
	out := 0
	for d, amount := range v {
		if amount > 0 {
			out |= 1 << d
		}
	}
	return out
}

// tally groups refusals. Shortages of the same kinds are one group, whatever
// their amounts.
type tally struct {
	texts  map[string]int
	shorts [1 << dims]shortage // by kind: a bit for each dimension
}

type shortage struct {
	nodes       int
	least, most vector
}

func (t *tally) add(r refusal) {
	if r.text != "" {
		if t.texts == nil {
			t.texts = map[string]int{}
		}
		t.texts[r.text]++
		return
	}
	s := &t.shorts[r.short.dimensions()]
	if s.nodes == 0 {
		s.least, s.most = r.short, r.short
	}
	s.nodes++
	for d, amount := range r.short {
		s.least[d] = min(s.least[d], amount)
		s.most[d] = max(s.most[d], amount)
	}
}

// reasons are the groups, those with the most nodes first.
func (t *tally) reasons() []reason {
	var out []reason
	for text, n := range t.texts {
		out = append(out, reason{text, n, text})
	}
	for dimensions, s := range t.shorts {
		if dimensions == 0 || s.nodes == 0 {
			continue
		}
		text := s.least.resources().Missing(cluster.Resources{}) + " short"
		if s.least != s.most {
			text = "at least " + text
		}
		out = append(out, reason{text, s.nodes, shortKind(dimensions)})
	}
	slices.SortFunc(out, func(a, b reason) int {
		return cmp.Or(cmp.Compare(b.nodes, a.nodes), cmp.Compare(a.text, b.text))
	})
	return out
}

func (t *tally) String() string {
	all := t.reasons()
	if len(all) == 0 {
		return "no nodes"
	}
	var parts []string
	rest := 0
	for i, r := range all {
		if i < maxReasons {
			parts = append(parts, nodes(r.nodes)+": "+r.text)
		} else {
			rest += r.nodes
		}
	}
	if rest > 0 {
		parts = append(parts, nodes(rest)+": other reasons")
	}
	return strings.Join(parts, "; ")
}

func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}
