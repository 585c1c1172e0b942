package placement

import (
	"strings"
	"testing"

	"github.com/musterhq/muster/cluster"
)

// labelled makes nodes of the default size, each with the label of its turn:
// "pool=batch".
func labelled(labels ...string) []cluster.Node {
	nodes := named("n1", "n2", "n3", "n4", "n5")[:len(labels)]
	for i, l := range labels {
		if key, value, ok := strings.Cut(l, "="); ok {
			nodes[i].Labels = map[string]string{key: value}
		}
	}
	return nodes
}

func placedAs(edit func(*cluster.Placement)) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) { edit(&s.Placement) }
}

func TestTaintsKeepServicesOffThatDoNotTolerateThem(t *testing.T) {
	for name, tt := range map[string]struct {
		tolerations []string
		want        string // node, or the reason
	}{
		"nothing":        {nil, "1 node: has the taint gpu=a100; 1 node: has the taint old"},
		"another":        {[]string{"disk"}, "1 node: has the taint gpu=a100; 1 node: has the taint old"},
		"by name":        {[]string{"gpu"}, "n1"},
		"by value":       {[]string{"gpu=a100"}, "n1"},
		"of other value": {[]string{"gpu=h100"}, "1 node: has the taint gpu=a100; 1 node: has the taint old"},
		"without value":  {[]string{"old"}, "n2"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, labelled("muster.taint.gpu=a100", "muster.taint.old=")...)
			w.service(web, placedAs(func(p *cluster.Placement) { p.Tolerations = tt.tolerations }))
			w.task(web)
			if strings.HasPrefix(tt.want, "n") {
				wantNodes(t, w, tt.want)
				return
			}
			wantReason(t, w.plan(), tt.want)
		})
	}
}

func TestPools(t *testing.T) {
	w := newWorld(t, labelled("pool=batch", "pool=web", "")...)
	w.service(web, placedAs(func(p *cluster.Placement) { p.Pool = "batch" }))
	w.task(web)
	w.task(web)
	wantNodes(t, w, "n1", "n1")
	w.service(web, placedAs(func(p *cluster.Placement) { p.Pool = "none" }))
	if got, want := w.plan().Pending[0].Reason, "3 nodes: is not of the pool none"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

func TestServicesStayApartWhicheverOfThemSaysSo(t *testing.T) {
	for _, says := range []cluster.ServiceID{"o/db", web} {
		w := newWorld(t, named("n1", "n2")...)
		for _, id := range []cluster.ServiceID{"o/db", web} {
			other := map[cluster.ServiceID]string{"o/db": "s/web", web: "o/db"}[id]
			w.service(id, placedAs(func(p *cluster.Placement) {
				if id == says {
					p.ApartFrom = []string{other}
				}
			}))
		}
		w.task("o/db", on("n1"))
		for range 3 {
			w.task(web)
		}
		wantNodes(t, w, "n2", "n2", "n2")
		w.task("o/db", on("n2"))
		if got, want := w.plan().Pending[0].Reason, "2 nodes: runs o/db, which it is to be apart from"; got != want {
			t.Errorf("%s says so: reason %q, want %q", says, got, want)
		}
	}
}

func TestServicesOfOnePlanStayApart(t *testing.T) {
	w := newWorld(t, named("n1", "n2")...)
	w.service("s/web", nil)
	w.service("o/db", placedAs(func(p *cluster.Placement) { p.ApartFrom = []string{"s/web"} }))
	w.task("s/web")
	w.task("o/db")
	got := w.nodesOf(w.plan())
	if got[0] == "" || got[1] == "" || got[0] == got[1] {
		t.Errorf("nodes %v, want two", got)
	}
}

func TestAffinitiesAreWishes(t *testing.T) {
	for name, tt := range map[string]struct {
		weight int
		want   string
	}{
		"wanted":         {50, "n2"},
		"not wanted":     {-50, "n1"},
		"too light":      {1, "n1"}, // n2 is 45 % fuller
		"just enough":    {46, "n2"},
		"just too light": {44, "n1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, labelled("disk=hdd", "disk=ssd")...)
			w.service("o/big", memory(4*gib*45/100))
			w.task("o/big", on("n2"))
			w.service(web, placedAs(func(p *cluster.Placement) {
				p.Policy = cluster.PolicySpread
				p.Affinities = []cluster.Affinity{{Constraint: "node.labels.disk==ssd", Weight: tt.weight}}
			}))
			w.task(web)
			wantNodes(t, w, tt.want)
			if got := w.plan().Assign[0].Why; (got.Affinity == tt.weight) != (tt.want == "n2") {
				t.Errorf("score %+v", got)
			}
		})
	}
}

func TestAffinityThatCannotBeReadSetsTheServiceAside(t *testing.T) {
	w := newWorld(t, named("n1")...)
	w.service(web, placedAs(func(p *cluster.Placement) { p.Affinities = []cluster.Affinity{{Constraint: "what", Weight: 1}} }))
	w.task(web)
	if p := w.plan(); len(p.SetAside) != 1 || !strings.Contains(p.SetAside[0].Reason, "what") {
		t.Errorf("plan %+v, want the service set aside", p)
	}
}

func TestNodesWhereTheServiceFailedOftenComeLast(t *testing.T) {
	w := newWorld(t, named("n1", "n2", "n3")...)
	w.service(web, nil)
	w.service("o/db", nil)
	for range 2 {
		w.task(web)
	}
	snap := FromView(w.st.View(), nil)
	snap = snap.Failed(map[cluster.ServiceID]map[cluster.NodeID]int{
		web:    {"n1": backOff, "n2": backOff - 1, "gone": 99},
		"o/db": {"n3": 99},
	})
	if got := counts(Place(snap, w.requests(), 1)); got["n1"] != 0 {
		t.Errorf("tasks a node %v, want none on n1", got)
	}
	snap = snap.without([]cluster.NodeID{"n2", "n3"})
	p := Place(snap, w.requests(), 1)
	if got := counts(p); got["n1"] != 2 {
		t.Errorf("tasks a node %v, want both on n1 where no other can take them", got)
	}
	if why := p.Assign[0].Why.String(); !strings.HasPrefix(why, "failed there 5 times lately, ") {
		t.Errorf("why: %s", why)
	}
}

func TestBackOffComesBeforeTheSpread(t *testing.T) {
	w := newWorld(t, zoned("n1", "a", "n2", "b", "n3", "b")...)
	w.service(web, func(s *cluster.ServiceSpec) { s.Preferences = []string{"node.labels.zone"} })
	for range 4 {
		w.task(web)
	}
	snap := FromView(w.st.View(), nil)
	p := Place(snap.Failed(map[cluster.ServiceID]map[cluster.NodeID]int{web: {"n1": 7}}), w.requests(), 1)
	if got := counts(p); got["n1"] != 0 || got["n2"] != 2 || got["n3"] != 2 {
		t.Errorf("tasks a node %v, want none in zone a", got)
	}
}

func TestThousandsOfConstraintsAreAnswered(t *testing.T) {
	s := newSnapshot(100)
	for i, n := range named(strings.Fields(strings.Repeat("n ", 100))...) {
		n.ID, n.Labels = cluster.NodeID(rune('A'+i)), map[string]string{"x": "1"}
		s.addNode(&n, "", cluster.Resources{})
	}
	r := Request{Task: "t1", Service: web}
	for range 10_000 {
		r.Constraints = append(r.Constraints, cluster.Constraint{Key: "node.labels.x", Op: cluster.Equal, Value: "1"})
	}
	r.Constraints = append(r.Constraints, cluster.Constraint{Key: "node.labels.x", Op: cluster.NotEqual, Value: "1"})
	wantReason(t, Place(s, []Request{r}, 1), "node.labels.x==1 and node.labels.x!=1 exclude each other; 100 nodes: does not match node.labels.x!=1")
}

// A service is near to another where it can be: on its node, else in its zone.
func TestNear(t *testing.T) {
	for name, tt := range map[string]struct {
		near []string
		size int64 // of the other's task, on n3
		want string
	}{
		"on the node":      {[]string{"o/db"}, gib, "n3"},
		"in the zone":      {[]string{"o/db"}, 4 * gib, "n4"},
		"one of two":       {[]string{"nobody", "o/db"}, gib, "n3"},
		"nobody":           {nil, gib, "n2"}, // n1 and n4 are as empty, and later by chance
		"who is not there": {[]string{"db"}, gib, "n2"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, zoned("n1", "a", "n2", "a", "n3", "b", "n4", "b")...)
			w.service("o/db", memory(tt.size))
			w.task("o/db", on("n3"))
			w.service(web, func(s *cluster.ServiceSpec) {
				memory(gib)(s)
				s.Placement = cluster.Placement{Policy: cluster.PolicySpread, Near: tt.near}
			})
			w.task(web)
			wantNodes(t, w, tt.want)
		})
	}
}

// Nearness to a service of the same plan counts, too.
func TestNearInOnePlan(t *testing.T) {
	w := newWorld(t, named("n1", "n2", "n3")...)
	w.service("o/db", memory(gib))
	w.service(web, func(s *cluster.ServiceSpec) {
		s.Placement = cluster.Placement{Policy: cluster.PolicySpread, Near: []string{"o/db"}}
	})
	w.task("o/db")
	w.task(web)
	if got := w.nodesOf(w.plan()); got[0] != got[1] {
		t.Errorf("nodes %v, want one", got)
	}
}
