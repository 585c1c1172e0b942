package placement

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// tenants are the tasks that hold something on a node; stays says which must not
// move.
func (w *world) tenants(stays func(*cluster.Task) bool) []Tenant {
	v := w.st.View()
	var out []Tenant
	for t := range v.Tasks() {
		if t.Node != "" && t.Holds() && t.Desired == cluster.Running {
			s, _ := v.Service(t.Service)
			out = append(out, Tenant{Request: RequestOf(t, s, s.Spec.Template), Node: t.Node, Stays: stays != nil && stays(t)})
		}
	}
	return out
}

func (w *world) rebalance(o Rebalancing) []Move {
	return Rebalance(FromView(w.st.View(), nil), w.tenants(nil), o)
}

// moved has a task leave its node for another, as a successor does that is ready
// before it stops.
func (w *world) moved(m Move) {
	w.t.Helper()
	id := w.task(m.Service, w.replacing(m.Task), on(string(m.To)))
	if t, _ := w.st.View().Task(id); t.Node != m.To {
		w.t.Fatalf("%+v: %s", m, t.Reason)
	}
	w.do(state.Reconcile{Stop: []state.StopTask{{Task: m.Task}}})
	w.do(state.Observe{Node: m.From, Tasks: []state.TaskObserved{{Task: m.Task, Observed: cluster.Observed{Phase: cluster.PhaseExited}}}})
}

// joins adds empty nodes.
func (w *world) joins(names ...string) {
	for _, name := range names {
		w.do(state.JoinNode{Token: "tok", Node: cluster.Node{
			ID: cluster.NodeID(name), Name: name, Capacity: cluster.Resources{MilliCPU: 4000, Memory: 4 * gib}, Labels: map[string]string{"zone": "b"},
		}})
	}
}

func served(p cluster.Policy, cores int64) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) {
		s.Placement.Policy = p
		s.Template.Reservations = cluster.Resources{MilliCPU: cores * 1000}
	}
}

// where is how many tasks are on each node.
func (w *world) where() map[cluster.NodeID]int {
	out := map[cluster.NodeID]int{}
	for _, t := range w.tenants(nil) {
		out[t.Node]++
	}
	return out
}

func TestANodeThatJoinsIsFilled(t *testing.T) {
	for _, p := range []cluster.Policy{cluster.PolicyHybrid, cluster.PolicySpread, cluster.PolicyLeastUsed, cluster.PolicyRealtime, cluster.PolicyOptimal} {
		t.Run(string(p), func(t *testing.T) {
			w := newWorld(t, named("n1", "n2")...)
			w.service(web, served(p, 1))
			for i := range 6 {
				w.task(web, on(fmt.Sprintf("n%d", 1+i%2)))
			}
			w.joins("n3")
			moves := w.rebalance(Rebalancing{})
			for _, m := range moves {
				w.moved(m)
			}
			if d := cmp.Diff(map[cluster.NodeID]int{"n1": 2, "n2": 2, "n3": 2}, w.where()); d != "" {
				t.Errorf("tasks (-want +got):\n%s%+v", d, moves)
			}
		})
	}
}

func TestWhatIsNotWorthItDoesNotMove(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(*cluster.ServiceSpec)
		nodes []string
	}{
		"a service that packs, one task": {served(cluster.PolicyHybrid, 1), []string{"n1"}},
		"a service that packs":           {served(cluster.PolicyBinpack, 1), []string{"n1", "n1", "n1"}},
		"one apart":                      {served(cluster.PolicySpread, 1), []string{"n1", "n1", "n2"}},
		"a small difference":             {served(cluster.PolicyLeastUsed, 0), []string{"n1", "n1", "n1"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, named("n1", "n2")...)
			w.service(web, c.edit)
			for _, n := range c.nodes {
				w.task(web, on(n))
			}
			if moves := w.rebalance(Rebalancing{}); len(moves) > 0 {
				t.Errorf("%+v", moves)
			}
		})
	}
}

func TestDomainsAreEvenedOutBeforeNodes(t *testing.T) {
	w := newWorld(t, zoned("n1", "a", "n2", "a", "n3", "a")...)
	w.service(web, func(s *cluster.ServiceSpec) { s.Preferences = []string{"node.labels.zone"} })
	for i := range 4 {
		w.task(web, on(fmt.Sprintf("n%d", 1+i%3)))
	}
	w.joins("m1") // zone b
	moves := w.rebalance(Rebalancing{})
	for _, m := range moves {
		w.moved(m)
	}
	if got := w.where(); got["m1"] != 2 {
		t.Errorf("%v by %+v", got, moves)
	}
}

// What the objective gains by a wish is not worth what the policy would place the
// task elsewhere for.
func TestWhatPlaceDoesIsNotUndone(t *testing.T) {
	w := newWorld(t, zoned("n1", "a", "n2", "b")...)
	w.alone("a/large", 3000, 3*gib, "n1")
	w.service(web, func(s *cluster.ServiceSpec) {
		policed(cluster.PolicyHybrid, 1000, gib)(s)
		s.Placement.Affinities = []cluster.Affinity{{Constraint: "node.labels.zone==b", Weight: 5}}
	})
	w.task(web)
	p := w.plan()
	w.apply(p)
	if got := p.Assign[0].Node; got != "n1" {
		t.Fatalf("placed on %s: %s", got, p.Assign[0].Text())
	}
	if moves := w.rebalance(Rebalancing{}); len(moves) > 0 {
		t.Errorf("%+v", moves)
	}
}

func TestPackingEmptiesHosts(t *testing.T) {
	w := newWorld(t, named("n1", "n2", "n3")...)
	for i, n := range []string{"n1", "n1", "n2", "n3"} {
		id := cluster.ServiceID(fmt.Sprintf("s%d/web", i))
		w.service(id, served(cluster.PolicyHybrid, 1))
		w.task(id, on(n))
	}
	moves := w.rebalance(Rebalancing{Pack: true})
	for _, m := range moves {
		w.moved(m)
	}
	if d := cmp.Diff(map[cluster.NodeID]int{"n1": 4}, w.where()); d != "" || len(moves) != 2 {
		t.Errorf("tasks (-want +got):\n%s%+v", d, moves)
	}
}

func TestPackingKeepsAServiceApart(t *testing.T) {
	w := newWorld(t, named("n1", "n2")...)
	w.service(web, served(cluster.PolicyHybrid, 1))
	w.task(web, on("n1"))
	w.task(web, on("n2"))
	if moves := w.rebalance(Rebalancing{Pack: true}); len(moves) > 0 {
		t.Errorf("%+v", moves)
	}
}

func TestABusyNodeSheds(t *testing.T) {
	w := newWorld(t, named("n1", "n2", "n3")...)
	w.service(web, served(cluster.PolicyRealtime, 0))
	for range 4 {
		w.task(web, on("n1"))
	}
	tenants := w.tenants(nil)
	for i := range tenants {
		tenants[i].Uses = cluster.Resources{MilliCPU: 900}
	}
	snap := FromView(w.st.View(), nil)
	snap = snap.Measured(measure(map[string]cluster.Resources{"n1": {MilliCPU: 3600}, "n2": {MilliCPU: 2700}, "n3": {MilliCPU: 400}}))
	moves := Shed(snap, tenants, Rebalancing{})
	// Half of the load is to go, to two nodes: n2 would be too busy, and after one
	// n3 is not worth another.
	if len(moves) != 2 || moves[0].To != "n3" || moves[1].To != "n3" {
		t.Errorf("%+v", moves)
	}
	if moves := Shed(snap, tenants, Rebalancing{PerService: 1}); len(moves) != 1 {
		t.Errorf("%+v, want one of the service", moves)
	}
	snap = snap.Measured(measure(map[string]cluster.Resources{"n1": {MilliCPU: 3100}}))
	if moves := Shed(snap, tenants, Rebalancing{}); len(moves) > 0 {
		t.Errorf("below its threshold: %+v", moves)
	}
}

// unbalanced is a random world some of whose tasks could be better placed, and
// what was measured there.
type unbalanced struct {
	*world
	used  map[cluster.NodeID]cluster.Resources
	stays map[cluster.TaskID]bool
}

func newUnbalanced(rt *rapid.T) *unbalanced {
	draw := func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "choice") }
	w := randomWorld(rt)
	if draw(3) > 0 {
		w = ofFewServices(rt, draw)
	}
	for range 3 * draw(10) {
		w.somewhere(cluster.ServiceID(fmt.Sprintf("s%d/web", draw(3))), draw)
	}
	for i := range draw(3) {
		w.joins(fmt.Sprintf("m%d", i))
	}
	u := &unbalanced{world: w, used: map[cluster.NodeID]cluster.Resources{}, stays: map[cluster.TaskID]bool{}}
	v := w.st.View()
	for n := range v.Nodes() {
		if draw(3) == 0 {
			u.used[n.ID] = cluster.Resources{MilliCPU: int64(draw(5)) * n.Capacity.MilliCPU / 4, Memory: int64(draw(4)) * n.Capacity.Memory / 4}
		}
	}
	for t := range v.Tasks() {
		if prev, ok := v.Task(t.Replaces); ok {
			u.stays[t.ID], u.stays[prev.ID] = true, true
		}
		if draw(9) == 8 {
			u.stays[t.ID] = true
		}
	}
	return u
}

// ofFewServices is a world with nodes that all may be used and services without
// wishes, most of which pack.
func ofFewServices(rt *rapid.T, draw func(int) int) *world {
	w := newWorld(rt, zoned("n1", "a", "n2", "a", "n3", "b", "n4", "b")...)
	for i := range 3 {
		w.service(cluster.ServiceID(fmt.Sprintf("s%d/web", i)), func(s *cluster.ServiceSpec) {
			served(policies[[]int{0, 2, 2, draw(len(policies))}[draw(4)]].name, int64(draw(2)))(s)
			if s.Placement.Policy == cluster.PolicyFixed {
				s.Placement.Policy = ""
			}
			if draw(3) == 0 {
				s.Preferences = []string{"node.labels.zone"}
			}
		})
	}
	return w
}

// somewhere adds a task of a service, if there is one, on any node that may take
// it.
func (w *world) somewhere(id cluster.ServiceID, draw func(int) int) {
	v := w.st.View()
	s, ok := v.Service(id)
	if !ok {
		return
	}
	tpl := s.Spec.Template
	if len(tpl.Devices) > 0 {
		return // which devices, only placement says
	}
	t := &cluster.Task{Service: id, Resources: tpl.Reservations, HostPorts: tpl.HostPorts()}
	var may []string
	for n := range v.Nodes() {
		if allowed(v, t, n, nil) {
			may = append(may, n.Name)
		}
	}
	if len(may) > 0 {
		w.task(id, on(may[draw(len(may))]))
	}
}

func (u *unbalanced) snapshot() Snapshot {
	usage := map[cluster.NodeID]Usage{}
	for id, r := range u.used {
		usage[id] = Usage{Used: r, Expected: r}
	}
	s := FromView(u.st.View(), nil)
	return s.Measured(usage)
}

func (u *unbalanced) tenants() []Tenant {
	return u.world.tenants(func(t *cluster.Task) bool { return u.stays[t.ID] })
}

func (u *unbalanced) objective(o Rebalancing) float64 {
	return newBalance(u.snapshot(), u.tenants(), o).objective()
}

// moved also moves what the task uses.
func (u *unbalanced) moved(m Move) {
	old, _ := u.st.View().Task(m.Task)
	tenant := Tenant{Request: Request{Resources: old.Resources}}
	uses := tenant.uses()
	if r, ok := u.used[m.From]; ok {
		u.used[m.From] = r.Sub(uses.resources())
	}
	if r, ok := u.used[m.To]; ok {
		u.used[m.To] = r.Add(uses.resources())
	}
	u.world.moved(m)
}

func drawRebalancing(rt *rapid.T) Rebalancing {
	draw := func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "choice") }
	return Rebalancing{Pack: draw(2) == 0, Moves: draw(4), PerService: draw(3), Seed: uint64(draw(3))}
}

// answers are Rebalance and Shed.
func answers(o Rebalancing) map[string]func(Snapshot, []Tenant, Rebalancing) []Move {
	out := map[string]func(Snapshot, []Tenant, Rebalancing) []Move{"rebalance": Rebalance}
	if !o.Pack {
		out["shed"] = Shed
	}
	return out
}

// Moves never exceed a capacity, a filter or the budget, each makes the objective
// less by what it says, and they come to an end.
func TestMovesHold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		u := newUnbalanced(rt)
		o := drawRebalancing(rt)
		ask := Rebalance
		if !o.Pack && rapid.Bool().Draw(rt, "shed") {
			ask = Shed
		}
		for round := 0; ; round++ {
			moves := ask(u.snapshot(), u.tenants(), o)
			if len(moves) == 0 {
				return
			}
			if round == 300 {
				rt.Fatalf("there is no end of it: %+v", moves)
			}
			if o.Moves > 0 && len(moves) > o.Moves {
				rt.Fatalf("%d moves, %d were asked for", len(moves), o.Moves)
			}
			u.check(rt, o, moves)
		}
	})
}

func (u *unbalanced) check(rt *rapid.T, o Rebalancing, moves []Move) {
	perService := map[cluster.ServiceID]int{}
	for _, m := range moves {
		perService[m.Service]++
		if o.PerService > 0 && perService[m.Service] > o.PerService {
			rt.Fatalf("%d moves of %s", perService[m.Service], m.Service)
		}
		if u.stays[m.Task] {
			rt.Fatalf("%s was to stay", m.Task)
		}
		before := u.objective(o)
		u.moved(m) // refuses what exceeds a capacity or clashes
		v := u.st.View()
		n, _ := v.Node(m.To)
		for t := range v.TasksOn(m.To) {
			if t.Replaces == m.Task && !allowed(v, t, n, replaced(v)) {
				rt.Fatalf("%s may not be on %s", m.Task, m.To)
			}
		}
		fell := before - u.objective(o)
		if fell <= 0 || math.Abs(fell-float64(m.Gain)/millionths) > 1e-4 {
			rt.Fatalf("%+v makes the objective less by %v", m, fell)
		}
	}
}

func TestRebalancingDependsOnNoOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		u := newUnbalanced(rt)
		o := drawRebalancing(rt)
		snap, tenants := FromView(u.st.View(), nil), u.tenants()
		for name, ask := range answers(o) {
			want := ask(snap, tenants, o)
			if d := cmp.Diff(want, ask(shuffled(rt, snap), rapid.Permutation(tenants).Draw(rt, "tenants"), o)); d != "" {
				rt.Fatalf("%s depends on the order of nodes or tasks:\n%s", name, d)
			}
		}
	})
}
