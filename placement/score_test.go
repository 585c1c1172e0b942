package placement

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// counts is how many of the planned tasks each node got.
func counts(p Plan) map[string]int {
	out := map[string]int{}
	for _, c := range p.Assign {
		out[string(c.Node)]++
	}
	return out
}

func TestServiceIsSpreadBeforeLoadIs(t *testing.T) {
	w := newWorld(t, named("n1", "n2", "n3")...)
	w.service("o/big", memory(3*gib))
	w.task("o/big", on("n1"))
	w.service(web, memory(256*mib))
	for range 3 {
		w.task(web)
	}
	if d := cmp.Diff(map[string]int{"n1": 1, "n2": 1, "n3": 1}, counts(w.plan())); d != "" {
		t.Errorf("tasks a node (-want +got):\n%s", d)
	}
}

func TestServicesGoWhereThereIsRoom(t *testing.T) {
	w := newWorld(t, named("n1", "n2", "n3")...)
	w.service("o/big", memory(3*gib))
	w.task("o/big", on("n1"))
	w.service("p/cpu", func(s *cluster.ServiceSpec) { s.Template.Reservations.MilliCPU = 2000 })
	w.task("p/cpu", on("n3"))
	w.service(web, func(s *cluster.ServiceSpec) {
		memory(256 * mib)(s)
		s.Placement.Policy = cluster.PolicySpread
	})
	w.task(web)
	wantNodes(t, w, "n2")
}

func TestTasksThatReserveNothingAreSpread(t *testing.T) {
	w := newWorld(t, named("n1", "n2", "n3", "n4")...)
	for i := range 12 {
		id := cluster.ServiceID(fmt.Sprintf("s%d/web", i))
		w.service(id, nil)
		w.task(id)
	}
	for n, got := range counts(w.plan()) {
		if got != 3 {
			t.Errorf("%s got %d tasks, want 3", n, got)
		}
	}
}

func TestPreferencesComeFirst(t *testing.T) {
	w := newWorld(t, zoned("n1", "a", "n2", "a", "n3", "a", "n4", "b")...)
	w.service(web, func(s *cluster.ServiceSpec) { s.Preferences = []string{"node.labels.zone"} })
	for range 4 {
		w.task(web)
	}
	got := counts(w.plan())
	if got["n4"] != 2 {
		t.Errorf("tasks a node %v, want 2 in zone b", got)
	}
}

func TestPreferencesAreNested(t *testing.T) {
	var nodes []cluster.Node
	for i, l := range []map[string]string{
		{"zone": "a", "rack": "1"},
		{"zone": "a", "rack": "1"},
		{"zone": "a", "rack": "2"},
		{"zone": "b", "rack": "1"},
		{"zone": "b", "rack": "2"},
	} {
		nodes = append(nodes, cluster.Node{Name: fmt.Sprintf("n%d", i+1), Labels: l})
	}
	w := newWorld(t, nodes...)
	w.service(web, func(s *cluster.ServiceSpec) { s.Preferences = []string{"node.labels.zone", "node.labels.rack"} })
	for range 4 {
		w.task(web)
	}
	got := counts(w.plan())
	if got["n1"]+got["n2"] != 1 || got["n3"] != 1 || got["n4"] != 1 || got["n5"] != 1 {
		t.Errorf("tasks a node %v, want one in each rack", got)
	}
}

func TestTasksOnDownNodesDoNotCount(t *testing.T) {
	w := newWorld(t, zoned("n1", "a", "n2", "a", "n3", "b")...)
	w.service(web, func(s *cluster.ServiceSpec) { s.Preferences = []string{"node.labels.zone"} })
	lost := w.task(web, on("n1"))
	w.task(web, on("n3"))
	w.do(state.Reconcile{Conditions: []state.NodeCondition{{Node: "n1", Condition: cluster.Down}}})
	w.task(web, w.replacing(lost))
	wantNodes(t, w, "n2") // zone a has none left
}

func TestTaskOfADrainedNodeDoesNotCountAgainstItsZone(t *testing.T) {
	w := newWorld(t, zoned("n1", "a", "n2", "a", "n3", "b")...)
	w.service(web, func(s *cluster.ServiceSpec) { s.Preferences = []string{"node.labels.zone"} })
	leaving := w.task(web, on("n1"))
	w.task(web, on("n3"))
	w.do(state.SetAvailability{Node: "n1", Availability: cluster.Drained})
	w.task(web, w.replacing(leaving))
	wantNodes(t, w, "n2")
}

func TestRollingSuccessorsKeepTheSpread(t *testing.T) {
	w := newWorld(t, named("n1", "n2", "n3")...)
	w.service(web, nil)
	for _, n := range []string{"n1", "n2", "n3"} {
		old := w.task(web, on(n))
		w.task(web, w.replacing(old))
		p := w.plan()
		w.apply(p)
		w.do(state.Reconcile{Stop: []state.StopTask{{Task: old}}})
	}
	for n := range w.st.View().Nodes() {
		live := 0
		for task := range w.st.View().TasksOn(n.ID) {
			if task.Desired == cluster.Running {
				live++
			}
		}
		if live != 1 {
			t.Errorf("%s has %d tasks, want 1", n.Name, live)
		}
	}
}

func TestChoicesSayWhy(t *testing.T) {
	w := newWorld(t, zoned("n1", "a", "n2", "b")...)
	w.service(web, func(s *cluster.ServiceSpec) {
		s.Preferences = []string{"node.labels.zone"}
		s.Template.Reservations = cluster.Resources{MilliCPU: 500, Memory: gib}
		s.Placement.Policy = cluster.PolicySpread
	})
	w.task(web, on("n1"))
	w.task(web, on("n1"))
	w.task(web, on("n2"))
	w.task(web)
	p := w.plan()
	second, _ := w.st.View().Node("n1")
	want := Choice{Task: "t0004", Node: "n2", Why: Score{
		Policy: cluster.PolicySpread, Spread: []Domain{{"node.labels.zone", "b", 1}}, Service: 1, Cost: [maxTerms]int64{500_000}, Tasks: 1,
	}, Second: second, Lost: Loss{Part: PartSpread, By: 1}}
	if d := cmp.Diff([]Choice{want}, p.Assign); d != "" {
		t.Errorf("choices (-want +got):\n%s", d)
	}
	if got, want := p.Assign[0].Why.String(), "1 of the service in node.labels.zone=b, 1 on the node, reserved 50.00%, 1 tasks"; got != want {
		t.Errorf("why %q, want %q", got, want)
	}
	if got, want := p.Assign[0].Text(), "spread: 1 of the service in node.labels.zone=b, 1 on the node, reserved 50.00%, 1 tasks; "+
		"second n1, by 1 more of the service in its node.labels.zone"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}

func TestSecondLosesByTheFirstPartThatDiffers(t *testing.T) {
	for name, tt := range map[string]struct {
		prep func(w *world)
		spec func(s *cluster.ServiceSpec)
		want Loss
	}{
		"nothing differs": {want: Loss{}},
		"the service's tasks": {
			prep: func(w *world) { w.task(web, on("n2")) },
			want: Loss{Part: PartService, By: 1},
		},
		"the cost": {
			prep: func(w *world) {
				w.service("o/big", memory(gib))
				w.task("o/big", on("n2"))
			},
			spec: func(s *cluster.ServiceSpec) { s.Placement.Policy = cluster.PolicySpread },
			want: Loss{Part: PartCost, By: 240_625}, // a quarter and 64 MiB of memory against a tenth of a core
		},
		"the tasks": {
			prep: func(w *world) {
				w.service("o/tiny", func(s *cluster.ServiceSpec) {
					s.Template.Reservations = cluster.Resources{MilliCPU: 1, Memory: 1}
				})
				w.task("o/tiny", on("n2"))
			},
			spec: func(s *cluster.ServiceSpec) {
				s.Placement.Policy = cluster.PolicySpread
				s.Template.Reservations.Memory = gib
			},
			want: Loss{Part: PartTasks, By: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, named("n1", "n2")...)
			w.service(web, tt.spec)
			if tt.prep != nil {
				tt.prep(w)
			}
			w.task(web)
			c := w.plan().Assign[0]
			if c.Second == nil || c.Second.ID == c.Node || c.Lost != tt.want {
				t.Errorf("chosen %s, second %+v by %+v, want %+v", c.Node, c.Second, c.Lost, tt.want)
			}
		})
	}
}

func TestOnlyNodeHasNoSecond(t *testing.T) {
	w := newWorld(t, named("n1", "n2")...)
	w.service(web, nil)
	w.task(web, pinned("n2"))
	c := w.plan().Assign[0]
	if c.Second != nil || !strings.HasSuffix(c.Text(), "; no other node could take it") {
		t.Errorf("second %+v, text %q", c.Second, c.Text())
	}
}

func TestTextsAreBounded(t *testing.T) {
	long := strings.Repeat("ä", 90)
	c := Choice{Why: Score{Spread: []Domain{{"node.labels.zone", long, 1}}}, Second: &cluster.Node{Name: long}}
	if got := c.Text(); len(got) > maxText || !utf8.ValidString(got) || !strings.HasSuffix(got, "...") {
		t.Errorf("text of %d bytes: %q", len(got), got)
	}
}

func TestSeedDecidesAmongEqualNodes(t *testing.T) {
	w := newWorld(t, named("n1", "n2", "n3", "n4")...)
	w.service(web, nil)
	w.task(web)
	seen := map[cluster.NodeID]bool{}
	for seed := range uint64(64) {
		seen[Place(FromView(w.st.View(), nil), w.requests(), seed).Assign[0].Node] = true
	}
	if len(seen) != 4 {
		t.Errorf("64 seeds chose %d of 4 equal nodes, want all", len(seen))
	}
}
