package placement

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/musterhq/muster/cluster"
)

func TestExtremeRequests(t *testing.T) {
	asks := func(milliCPU, memory int64) func(s *cluster.ServiceSpec) {
		return func(s *cluster.ServiceSpec) {
			s.Template.Reservations = cluster.Resources{MilliCPU: milliCPU, Memory: memory}
		}
	}
	for name, tt := range map[string]struct {
		spec func(s *cluster.ServiceSpec)
		want string // "": it is placed
	}{
		"nothing":           {asks(0, 0), ""},
		"the least":         {asks(1, 1), ""},
		"all that is there": {asks(4000, 4*gib), ""},
		"all that is allowed": {
			asks(cluster.MaxMilliCPU, cluster.MaxMemory), "2 nodes: 999996 CPU and 1024 TiB short",
		},
		"all that can be written": {asks(math.MaxInt64, math.MaxInt64), "2 nodes: 9223372036854772 CPU and 8192 PiB short"},
		"one above":               {asks(4001, 1), "2 nodes: 0.001 CPU short"},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range policies {
				w := newWorld(t, named("n1", "n2")...)
				w.service(web, func(s *cluster.ServiceSpec) {
					tt.spec(s)
					s.Placement.Policy = policies[i].name
				})
				id := w.task(web)
				if policies[i].name == cluster.PolicyFixed {
					continue // is of no partition, which validation refuses
				}
				p, a := w.plan(), w.why(id)
				if tt.want == "" {
					if len(p.Assign) != 1 || a.Able != 2 {
						t.Errorf("%s: %+v, %+v", policies[i].name, p, a)
					}
					continue
				}
				wantReason(t, p, tt.want)
				if len(a.Proposals) != 1 || a.Proposals[0].Changes[0].Kind != LargerNode {
					t.Errorf("%s: proposals %v", policies[i].name, a.Proposals)
				}
			}
		})
	}
}

// A node that says nothing of what it has takes what asks for nothing.
func TestNodesWithoutCapacity(t *testing.T) {
	s := newSnapshot(1)
	s.addNode(&cluster.Node{ID: "n1", Name: "n1"}, "", cluster.Resources{})
	for i := range policies {
		r := Request{Task: "t1", Service: web, Placement: &cluster.Placement{Policy: policies[i].name}}
		if p := Place(s, []Request{r, r}, 1); len(p.Assign) != 2 {
			t.Errorf("%s: %+v", policies[i].name, p)
		}
	}
}

func TestTooManyConstraintsSetTheServiceAside(t *testing.T) {
	w := newWorld(t, named("n1")...)
	w.service(web, func(s *cluster.ServiceSpec) {
		for i := range 10_000 {
			s.Template.Constraints = append(s.Template.Constraints, fmt.Sprintf("node.labels.l%d==x", i))
		}
	})
	id := w.task(web)
	if p := w.plan(); len(p.SetAside) != 1 || !strings.Contains(p.SetAside[0].Reason, "at most 100 are allowed") {
		t.Errorf("plan %+v", p)
	}
	if a := w.why(id); !strings.Contains(a.Invalid, "at most 100 are allowed") {
		t.Errorf("answer %+v", a)
	}
}

// What the largest allowed service asks of the largest cluster is answered.
func TestManyConstraintsThatNoNodeMatches(t *testing.T) {
	s := newSnapshot(10_000)
	for i := range 10_000 {
		name := fmt.Sprintf("host-%d", i)
		s.addNode(&cluster.Node{ID: cluster.NodeID(name), Name: name, Capacity: cluster.Resources{MilliCPU: 4000, Memory: 4 * gib}}, "", cluster.Resources{})
	}
	r := Request{Task: "t1", Service: web}
	for i := range cluster.MaxConstraints {
		r.Constraints = append(r.Constraints, cluster.Constraint{Key: fmt.Sprintf("node.labels.l%d", i), Op: cluster.Like, Value: "(a+)+$"})
	}
	wantReason(t, Place(s, []Request{r}, 1), "10000 nodes: does not match node.labels.l0=~(a+)+$, a label that no node has")
	if a := Why(s, r, "", 1); len(a.Proposals) != 0 || a.Able != 0 {
		t.Errorf("%d proposals: %v", len(a.Proposals), a.Proposals)
	}
}
