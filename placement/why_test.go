package placement

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// why explains a task.
func (w *world) why(id cluster.TaskID, quarantined ...cluster.NodeID) Answer {
	w.t.Helper()
	q := map[cluster.NodeID]bool{}
	for _, n := range quarantined {
		q[n] = true
	}
	t, ok := w.st.View().Task(id)
	if !ok {
		w.t.Fatalf("there is no task %s", id)
	}
	s, _ := w.st.View().Service(t.Service)
	return Why(FromView(w.st.View(), q), RequestOf(t, s, s.Spec.Template), t.Node, 1)
}

func texts(list []Proposal) []string {
	out := []string{}
	for _, p := range list {
		out = append(out, p.String())
	}
	return out
}

func TestProposals(t *testing.T) {
	port := func(s *cluster.ServiceSpec) {
		s.Template.Ports = []cluster.Port{{Target: 80, Published: 80, Protocol: "tcp", Mode: cluster.HostPort}}
	}
	everywhere := func(w *world, id cluster.ServiceID) {
		for _, n := range []string{"n1", "n2", "n3"} {
			w.task(id, on(n))
		}
	}
	for name, tt := range map[string]struct {
		nodes []cluster.Node // default: n1, n2 and n3
		prep  func(w *world)
		spec  func(s *cluster.ServiceSpec)
		task  func(*cluster.Task)
		held  []cluster.NodeID
		want  []string
	}{
		"the smallest shortage": {
			spec: memory(3 * gib),
			prep: func(w *world) {
				w.service("o/a", memory(2*gib))
				w.task("o/a", on("n1"))
				w.task("o/a", on("n2"))
				w.service("p/a", memory(1236*mib))
				w.task("p/a", on("n3"))
			},
			want: []string{"212 MiB more on n3"},
		},
		"one of each resource": {
			spec: func(s *cluster.ServiceSpec) {
				s.Template.Reservations = cluster.Resources{MilliCPU: 1000, Memory: gib}
			},
			prep: func(w *world) {
				w.service("o/a", memory(4*gib))
				w.task("o/a", on("n1"))
				w.service("p/a", func(s *cluster.ServiceSpec) { s.Template.Reservations.MilliCPU = 3500 })
				w.task("p/a", on("n2"))
				w.service("q/a", func(s *cluster.ServiceSpec) {
					s.Template.Reservations = cluster.Resources{MilliCPU: 4000, Memory: 4 * gib}
				})
				w.task("q/a", on("n3"))
			},
			want: []string{"0.5 CPU more on n2", "1 GiB more on n1", "1 CPU and 1 GiB more on n3"},
		},
		"larger than every node": {
			spec: memory(5 * gib),
			want: []string{"1 GiB more on n1, which is too small even when empty"},
		},
		"a cordoned node before one that is down": {
			prep: func(w *world) {
				w.do(state.Reconcile{Conditions: []state.NodeCondition{{Node: "n1", Condition: cluster.Down}}})
				w.do(state.SetAvailability{Node: "n2", Availability: cluster.Drained})
				w.do(state.SetAvailability{Node: "n3", Availability: cluster.Cordoned})
			},
			want: []string{"uncordon n2", "n1 no longer down"},
		},
		"an engine, a quarantine and a death": {
			prep: func(w *world) {
				w.do(state.UpdateNode{ID: "n1", EngineError: "hung"})
				w.do(state.Reconcile{Conditions: []state.NodeCondition{{Node: "n3", Condition: cluster.Down}}})
			},
			held: []cluster.NodeID{"n2"},
			want: []string{"a working engine on n1 (hung)", "n2 no longer quarantined: flapping", "n3 no longer down"},
		},
		"in quarantine behind a cordon": {
			nodes: named("n1"),
			prep:  func(w *world) { w.do(state.SetAvailability{Node: "n1", Availability: cluster.Cordoned}) },
			held:  []cluster.NodeID{"n1"},
			want:  []string{"uncordon n1 and n1 no longer quarantined: flapping"},
		},
		"another zone": {
			nodes: zoned("n1", "b", "n2", "b", "n3", "c"),
			spec:  func(s *cluster.ServiceSpec) { s.Template.Constraints = []string{"node.labels.zone==a"} },
			want: []string{
				"allow zone b (node.labels.zone==a keeps it off n1)", "allow zone c (node.labels.zone==a keeps it off n3)",
			},
		},
		"a label that no node has": {
			spec: func(s *cluster.ServiceSpec) { s.Template.Constraints = []string{"node.labels.disk==ssd"} },
			want: []string{"the service without the constraint node.labels.disk==ssd, which keeps it off n1"},
		},
		"constraints that contradict each other": {
			nodes: zoned("n1", "a", "n2", "b"),
			spec: func(s *cluster.ServiceSpec) {
				s.Template.Constraints = []string{"node.labels.zone==a", "node.labels.zone==b", "node.labels.zone==a"}
			},
			want: []string{
				"allow zone a (node.labels.zone==b keeps it off n1)", "allow zone b (node.labels.zone==a keeps it off n2)",
			},
		},
		"a taint": {
			nodes: []cluster.Node{{Name: "n1", Labels: map[string]string{cluster.TaintPrefix + "gpu": "a100"}}},
			want:  []string{"tolerate the taint gpu=a100, or remove it from n1"},
		},
		"a pool and a partition": {
			nodes: []cluster.Node{{Name: "n1"}, {Name: "n2", Labels: map[string]string{"pool": "batch", cluster.PartitionLabel: "db"}}},
			spec:  func(s *cluster.ServiceSpec) { s.Placement.Pool = "batch" },
			want: []string{
				"the service without the pool batch (n1 is not of it)", "n2 without the label muster.partition",
			},
		},
		"a partition that no node is of": {
			nodes: named("n1"),
			spec: func(s *cluster.ServiceSpec) {
				s.Placement.Policy, s.Placement.Partition = cluster.PolicyFixed, "db"
			},
			want: []string{"the label muster.partition=db on n1"},
		},
		"a port": {
			spec: port,
			prep: func(w *world) {
				w.service("o/a", port)
				everywhere(w, "o/a")
			},
			want: []string{"free port 80/tcp on n1"},
		},
		"more on a node": {
			spec: func(s *cluster.ServiceSpec) { s.Template.MaxPerNode = 1 },
			prep: func(w *world) {
				everywhere(w, web)
				w.service("o/a", memory(4*gib))
			},
			want: []string{"a max_replicas_per_node of 2"},
		},
		"apart": {
			nodes: named("n1"),
			spec:  func(s *cluster.ServiceSpec) { s.Placement.ApartFrom = []string{"o/a"} },
			prep: func(w *world) {
				w.service("o/a", nil)
				w.task("o/a", on("n1"))
			},
			want: []string{"n1 without o/a, which it is to be apart from"},
		},
		"two things on one node": {
			spec: memory(3 * gib),
			prep: func(w *world) {
				w.service("o/a", memory(2*gib))
				everywhere(w, "o/a")
				for _, n := range []cluster.NodeID{"n1", "n2", "n3"} {
					w.do(state.SetAvailability{Node: n, Availability: cluster.Cordoned})
				}
			},
			want: []string{"uncordon n1 and 1 GiB more on n1"},
		},
		"on its own node only": {
			task: pinned("n2"),
			prep: func(w *world) { w.do(state.SetAvailability{Node: "n2", Availability: cluster.Cordoned}) },
			want: []string{"uncordon n2"},
		},
		"its node is gone": {task: pinned("n9"), want: []string{}},
		"it fits":          {want: []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.nodes == nil {
				tt.nodes = named("n1", "n2", "n3")
			}
			w := newWorld(t, tt.nodes...)
			w.service(web, tt.spec)
			if tt.prep != nil {
				tt.prep(w)
			}
			if tt.task == nil {
				tt.task = func(*cluster.Task) {}
			}
			a := w.why(w.task(web, tt.task), tt.held...)
			if d := cmp.Diff(tt.want, texts(a.Proposals)); d != "" {
				t.Errorf("proposals (-want +got):\n%s%+v", d, a.Refused)
			}
		})
	}
}

func TestEveryFilterHasARemedy(t *testing.T) {
	for _, f := range filters {
		if remedies[f.name] == nil {
			t.Errorf("nobody says what would have to change for the filter %q to pass", f.name)
		}
	}
}

func TestWhyRanksTheNodes(t *testing.T) {
	w := newWorld(t, zoned("n1", "a", "n2", "a", "n3", "b", "n4", "c")...)
	w.service(web, func(s *cluster.ServiceSpec) { s.Preferences = []string{"node.labels.zone"} })
	at := w.task(web, on("n1"))
	w.task(web, on("n2"))
	w.do(state.SetAvailability{Node: "n4", Availability: cluster.Cordoned})
	a := w.why(at)
	var got []string
	for _, c := range a.Candidates {
		got = append(got, fmt.Sprintf("%d %s %s %d", c.Rank, c.Node.Name, c.Lost.Part, c.Lost.By))
	}
	// The task itself does not count: zone a has one other.
	if d := cmp.Diff([]string{"1 n3 chance 0", "2 n1 spread 1", "3 n2 spread 1"}, got); d != "" {
		t.Errorf("candidates (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]Refused{{Reason: "cordoned", Nodes: 1, Names: []string{"n4"}}}, a.Refused); d != "" {
		t.Errorf("refused (-want +got):\n%s", d)
	}
}

func TestWhyGivesATaskItsOwnRoom(t *testing.T) {
	w := newWorld(t, named("n1")...)
	w.service(web, func(s *cluster.ServiceSpec) {
		memory(3 * gib)(s)
		s.Template.MaxPerNode = 1
		s.Template.Ports = []cluster.Port{{Target: 80, Published: 80, Protocol: "tcp", Mode: cluster.HostPort}}
	})
	if a := w.why(w.task(web, on("n1"))); a.Able != 1 || a.Candidates[0].Why.Tasks != 0 {
		t.Errorf("answer %+v, want its node, empty but for itself", a)
	}
}

func TestWhyNamesTheNodesOfAGroup(t *testing.T) {
	var nodes []cluster.Node
	for i := range 9 {
		nodes = append(nodes, cluster.Node{Name: fmt.Sprintf("n%d", 9-i)})
	}
	w := newWorld(t, nodes...)
	w.service("o/a", memory(gib))
	for i := range 4 {
		w.task("o/a", on(fmt.Sprintf("n%d", i+1)))
	}
	w.service(web, memory(5*gib))
	a := w.why(w.task(web))
	want := []Refused{{Reason: "at least 1 GiB short", Nodes: 9, Names: []string{"n1", "n2", "n3", "n4", "n5"}}}
	if d := cmp.Diff(want, a.Refused); d != "" {
		t.Errorf("refused (-want +got):\n%s", d)
	}
}

func TestWhySaysWhatCannotBeRead(t *testing.T) {
	w := newWorld(t, named("n1")...)
	w.service(web, func(s *cluster.ServiceSpec) { s.Template.Constraints = []string{"whatever"} })
	if a := w.why(w.task(web)); !strings.Contains(a.Invalid, "whatever") {
		t.Errorf("answer %+v", a)
	}
}

// enact does what a proposal says: to the cluster where that is a command, and
// else to what is asked.
func (w *world) enact(q Proposal, r *Request) Snapshot {
	for _, c := range q.Changes {
		switch n, _ := w.st.View().Node(c.Node); c.Kind {
		case Uncordon:
			w.do(state.SetAvailability{Node: c.Node, Availability: cluster.Active})
		case Recover:
			w.do(state.Reconcile{Conditions: []state.NodeCondition{{Node: c.Node, Condition: cluster.Ready}}})
		case MoreRoom, LargerNode:
			w.do(state.UpdateNode{ID: c.Node, Capacity: n.Capacity.Add(c.Room), Devices: n.Devices})
		}
	}
	snap := FromView(w.st.View(), nil)
	for _, c := range q.Changes {
		if !slices.Contains([]Kind{Uncordon, Recover, MoreRoom, LargerNode}, c.Kind) {
			c.do(&snap, r)
		}
	}
	return snap
}

// TestProposalsHelp: what waits fits nowhere, something is proposed whenever the
// cluster has a node for it at all, and after any of it the task fits.
func TestProposalsHelp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := randomWorld(rt)
		w.apply(w.plan())
		waiting := w.requests()
		if len(waiting) == 0 {
			return
		}
		r := waiting[rapid.IntRange(0, len(waiting)-1).Draw(rt, "task")]
		a := w.why(r.Task)
		fewest := fewestRules(w, &r)
		if a.Able != 0 || fewest <= maxChanges && len(a.Proposals) == 0 || len(a.Proposals) > maxProposals {
			rt.Fatalf("%s waits: %+v", r.Task, a)
		}
		if len(a.Proposals) == 0 {
			return
		}
		if got := len(a.Proposals[0].Changes); fewest == 1 && got != 1 {
			rt.Fatalf("one rule keeps %s off a node, %q has %d changes", r.Task, a.Proposals[0], got)
		}
		q := a.Proposals[rapid.IntRange(0, len(a.Proposals)-1).Draw(rt, "proposal")]
		snap := w.enact(q, &r)
		if p := Place(snap, []Request{r}, 1); len(p.Assign) != 1 {
			rt.Fatalf("after %q, %s waits: %+v", q, r.Task, p.Pending)
		}
	})
}

// fewestRules is how many changes the node needs that needs the fewest.
func fewestRules(w *world, r *Request) int {
	p := newPlan(FromView(w.st.View(), nil), 1, filters)
	g := p.newGroup(r)
	defer g.leave(r)()
	p.expect(g.job)
	fewest := math.MaxInt
	for i, n := range p.snap.nodes {
		if r.Pinned != "" && r.Pinned != n.ID {
			continue
		}
		rules := 0
		for _, f := range filters {
			if f.check(p, i, g.job) != (refusal{}) {
				rules += len(remedies[f.name](p, i, g.job))
			}
		}
		fewest = min(fewest, rules)
	}
	return fewest
}

// TestWhyAgreesWithPlace: the first candidate is the node that a task gets.
func TestWhyAgreesWithPlace(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := randomWorld(rt)
		for _, r := range w.requests() {
			a, p := w.why(r.Task), Place(FromView(w.st.View(), nil), []Request{r}, 1)
			if len(p.Assign) == 0 {
				if a.Able > 0 {
					rt.Fatalf("%s has candidates and no place: %+v", r.Task, p.Pending)
				}
				continue
			}
			c := p.Assign[0]
			if a.Able == 0 || a.Candidates[0].Node.ID != c.Node || cmp.Diff(c.Why, a.Candidates[0].Why) != "" {
				rt.Fatalf("%s goes to %s, but the candidates are %+v", r.Task, c.Node, a.Candidates)
			}
			if (a.Able > 1) != (c.Second != nil) || c.Second != nil && (a.Candidates[1].Node.ID != c.Second.ID || a.Candidates[1].Lost != c.Lost) {
				rt.Fatalf("%s has %+v as second by %+v, but the candidates are %+v", r.Task, c.Second, c.Lost, a.Candidates)
			}
		}
	})
}

func TestWhyDoesNotDependOnTheOrderOfTheNodes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := randomWorld(rt)
		snap := shuffled(rt, FromView(w.st.View(), nil))
		for _, r := range w.requests() {
			a, b := w.why(r.Task), Why(snap, r, "", 1)
			if d := cmp.Diff(texts(a.Proposals), texts(b.Proposals)); d != "" {
				rt.Fatalf("proposals:\n%s", d)
			}
			if d := cmp.Diff(a.Refused, b.Refused); d != "" {
				rt.Fatalf("refused:\n%s", d)
			}
		}
	})
}
