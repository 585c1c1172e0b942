package placement

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
)

func policed(policy cluster.Policy, cpu, memory int64) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) {
		s.Placement.Policy = policy
		s.Template.Reservations = cluster.Resources{MilliCPU: cpu, Memory: memory}
	}
}

// measure says what hosts use now and are likely to need, by node.
func measure(used map[string]cluster.Resources) map[cluster.NodeID]Usage {
	out := map[cluster.NodeID]Usage{}
	for n, r := range used {
		out[cluster.NodeID(n)] = Usage{Used: r, Expected: r}
	}
	return out
}

// TestPoliciesChoose has four hosts of the default size: n1 holds half in tasks
// of others, n2 much CPU and little memory, n3 one task of the service and n4
// nothing of ours, but it is busy with something else.
func TestPoliciesChoose(t *testing.T) {
	for policy, want := range map[cluster.Policy]string{
		cluster.PolicyHybrid:    "n1", // neither of the busy ones, and none of its own there
		cluster.PolicySpread:    "n4", // nothing is reserved there
		cluster.PolicyBinpack:   "n1",
		cluster.PolicyLeastUsed: "n3",
		cluster.PolicyRealtime:  "n3",
		cluster.PolicyOptimal:   "n4", // by what is reserved
	} {
		t.Run(string(policy), func(t *testing.T) {
			w := newWorld(t, named("n1", "n2", "n3", "n4")...)
			w.service("o/even", policed("", 2000, 2*gib))
			w.task("o/even", on("n1"))
			w.service("o/cpu", policed("", 3000, 128*mib))
			w.task("o/cpu", on("n2"))
			w.service(web, policed(policy, 400, 400*mib))
			w.task(web, on("n3"))
			w.task(web)
			snap := FromView(w.st.View(), nil)
			snap = snap.Measured(measure(map[string]cluster.Resources{
				"n1": {MilliCPU: 2000, Memory: 2 * gib}, "n2": {MilliCPU: 3000, Memory: 128 * mib},
				"n3": {MilliCPU: 200, Memory: 200 * mib}, "n4": {MilliCPU: 3900, Memory: 3 * gib},
			}))
			p := Place(snap, w.requests(), 1)
			if len(p.Assign) != 1 || string(p.Assign[0].Node) != want {
				t.Errorf("plan %+v, want %s", p, want)
			}
		})
	}
}

func TestHybridFillsOneNodeAfterTheOther(t *testing.T) {
	w := newWorld(t, named("n1", "n2", "n3")...)
	for _, id := range []cluster.ServiceID{"a/web", "b/web", "c/web", "d/web"} {
		w.service(id, policed("", 1000, gib))
		w.task(id)
	}
	if got := counts(w.plan()); len(got) != 1 {
		t.Errorf("tasks a node %v, want all four on one", got)
	}
}

func TestHybridStillSpreadsAService(t *testing.T) {
	w := newWorld(t, zoned("n1", "a", "n2", "a", "n3", "b")...)
	w.service(web, func(s *cluster.ServiceSpec) {
		policed("", 900, 900*mib)(s)
		s.Preferences = []string{"node.labels.zone"}
	})
	for range 4 {
		w.task(web)
	}
	if got := counts(w.plan()); got["n3"] != 2 || got["n1"] != 1 {
		t.Errorf("tasks a node %v, want two in each zone, and apart within it", got)
	}
}

func TestMemoryIsNeverPlacedAboveWhatIsReallyFree(t *testing.T) {
	w := newWorld(t, named("n1", "n2")...)
	w.service(web, memory(gib))
	for range 4 {
		w.task(web)
	}
	snap := FromView(w.st.View(), nil)
	p := Place(snap.Measured(measure(map[string]cluster.Resources{"n1": {Memory: 3*gib + 1}, "n2": {Memory: 2 * gib}})), w.requests(), 1)
	if got := counts(p); got["n1"] != 0 || got["n2"] != 2 {
		t.Errorf("tasks a node %v, want none on n1, where less than 1 GiB is free, and two on n2", got)
	}
	if len(p.Pending) != 2 {
		t.Errorf("pending %+v, want two", p.Pending)
	}
}

func TestCrowdedNodesComeLast(t *testing.T) {
	for used, want := range map[int64]cluster.NodeID{4000: "n1", 5000: "n1", 5001: "n2"} {
		w := newWorld(t, named("n1", "n2")...)
		w.service(web, policed(cluster.PolicySpread, 1000, 0))
		w.task(web, on("n2"))
		w.task(web)
		snap := FromView(w.st.View(), nil)
		p := Place(snap.Measured(measure(map[string]cluster.Resources{"n1": {MilliCPU: used}, "n2": {MilliCPU: 1000}})), w.requests(), 1)
		if len(p.Assign) != 1 || p.Assign[0].Node != want {
			t.Errorf("%d of 4000 used: %+v, want %s", used, p, want)
		}
	}
}

// Hosts that are all busy take what their reservations leave room for.
func TestUsedCPULeavesNoTaskWithoutANode(t *testing.T) {
	w := newWorld(t, named("n1", "n2")...)
	w.service(web, policed("", 1000, 0))
	for range 9 {
		w.task(web)
	}
	snap := FromView(w.st.View(), nil)
	p := Place(snap.Measured(measure(map[string]cluster.Resources{"n1": {MilliCPU: 40_000}, "n2": {MilliCPU: 40_000}})), w.requests(), 1)
	if got := counts(p); got["n1"] != 4 || got["n2"] != 4 {
		t.Errorf("tasks a node %v, want four each", got)
	}
	wantReason(t, p, "2 nodes: 1 CPU short")
}

// The reason names no figure that another measurement would change.
func TestMemoryInUseIsSaidWithoutAFigure(t *testing.T) {
	w := newWorld(t, named("n1", "n2")...)
	w.service(web, memory(3*gib))
	w.task(web, on("n2"))
	w.task(web)
	snap := FromView(w.st.View(), nil)
	p := Place(snap.Measured(measure(map[string]cluster.Resources{"n1": {Memory: 2 * gib}, "n2": {Memory: 3 * gib}})), w.requests(), 1)
	wantReason(t, p, "1 node: 2 GiB short; 1 node: memory that it reserves is in use by what is no task")

	w.service("o/small", memory(gib))
	w.task("o/small", on("n1"))
	snap = FromView(w.st.View(), nil)
	p = Place(snap.Measured(measure(map[string]cluster.Resources{"n1": {Memory: 2 * gib}, "n2": {Memory: 3 * gib}})), w.requests(), 1)
	wantReason(t, p, "1 node: 2 GiB short; 1 node: the memory that nobody reserves is in use")

	w = newWorld(t, named("n1")...)
	w.service(web, memory(5*gib))
	w.task(web)
	snap = FromView(w.st.View(), nil)
	p = Place(snap.Measured(measure(map[string]cluster.Resources{"n1": {Memory: 2 * gib}})), w.requests(), 1)
	wantReason(t, p, "1 node: 1 GiB short")
}

func TestMeasurementOnlyRaises(t *testing.T) {
	w := newWorld(t, named("n1")...)
	w.service("o/big", memory(4*gib))
	w.task("o/big", on("n1"))
	w.service(web, memory(gib))
	w.task(web)
	snap := FromView(w.st.View(), nil)
	p := Place(snap.Measured(measure(map[string]cluster.Resources{"n1": {}})), w.requests(), 1)
	wantReason(t, p, "1 node: 1 GiB short")
}

func TestPartitions(t *testing.T) {
	nodes := named("n1", "n2")
	nodes[1].Labels = map[string]string{cluster.PartitionLabel: "db"}
	w := newWorld(t, nodes...)
	w.service(web, memory(4*gib))
	w.task(web)
	w.task(web)
	w.service("o/db", func(s *cluster.ServiceSpec) {
		memory(4 * gib)(s)
		s.Placement = cluster.Placement{Policy: cluster.PolicyFixed, Partition: "db"}
	})
	w.task("o/db")
	w.task("o/db")
	p := w.plan()
	if len(p.Pending) != 2 || len(p.Assign) != 2 {
		t.Fatalf("plan %+v, want one of each placed", p)
	}
	for i, want := range []string{
		"1 node: 4 GiB short; 1 node: belongs to the partition db",
		"1 node: 4 GiB short; 1 node: is not of the partition db",
	} {
		if got := p.Pending[i].Reason; got != want {
			t.Errorf("reason %q, want %q", got, want)
		}
	}
}

func TestCostsAreNumbers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		amount := func(name string, most int64) int64 {
			return rapid.OneOf(rapid.Just(int64(0)), rapid.Just(most), rapid.Int64Range(0, most)).Draw(rt, name)
		}
		res := func() cluster.Resources {
			return cluster.Resources{MilliCPU: amount("cpu", cluster.MaxMilliCPU), Memory: amount("memory", cluster.MaxMemory)}
		}
		s := newSnapshot(1)
		s.addNode(&cluster.Node{ID: "n1", Capacity: res()}, "", res())
		s.load[0], s.tasks[0] = vectorOf(res()), int32(amount("tasks", 1<<20))
		s = s.Measured(map[cluster.NodeID]Usage{"n1": {Used: res(), Expected: res()}})
		for _, policy := range policies {
			p := newPlan(s, 1, filters)
			g := p.newGroup(&Request{Placement: &cluster.Placement{Policy: policy.name}, Resources: res()})
			cost := g.costs(0)
			for i, term := range [maxTerms]float64{cost.a, cost.b, cost.c, cost.d} {
				if term != term || term < -1e16 {
					rt.Fatalf("%s: the term %d is %v", policy.name, i, term)
				}
			}
			if c := g.candidates[0].cost; c > worst*millionths || c < -1e15 {
				rt.Fatalf("%s: cost %d", policy.name, c)
			}
		}
	})
}

func TestEveryPolicyHasItsTerms(t *testing.T) {
	for _, p := range policies {
		if len(p.terms) == 0 || len(p.terms) > maxTerms {
			t.Errorf("%s has %d terms", p.name, len(p.terms))
		}
		if err := (&cluster.Placement{Policy: p.name, Partition: map[bool]string{true: "x"}[p.name == cluster.PolicyFixed]}).Validate(""); err != nil {
			t.Errorf("%s is refused: %v", p.name, err)
		}
	}
}

// completion is what optimal makes small: the sum of the tasks' completion
// times, in service times.
func completion(w *world, p Plan) float64 {
	w.apply(p)
	total, v := 0.0, w.st.View()
	for n := range v.Nodes() {
		a := v.Allocated(n.ID)
		total += float64(a.Tasks) / (1 - min(float64(a.Resources.MilliCPU)/float64(n.Capacity.MilliCPU), 0.999))
	}
	return total
}

func TestOptimalLooksAtTheWholeBatch(t *testing.T) {
	w := newWorld(t, named("n1", "n2")...)
	for i, cpu := range []int64{1000, 1000, 2000} { // one by one: 1 and 2 on one node
		id := cluster.ServiceID(string(rune('a'+i)) + "/web")
		w.service(id, policed(cluster.PolicyOptimal, cpu, mib))
		w.task(id)
	}
	got := w.nodesOf(w.plan())
	if got[0] != got[1] || got[1] == got[2] {
		t.Errorf("nodes %v, want the small ones together", got)
	}
}

func TestImprovingNeverMakesABatchWorse(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.Int64Range(1, 20), 1, 12).Draw(rt, "sizes")
		nodes := rapid.SliceOfN(rapid.Int64Range(10, 40), 1, 4).Draw(rt, "nodes")
		sum := func(change func(*plan)) float64 {
			var hosts []cluster.Node
			for i, cores := range nodes {
				hosts = append(hosts, cluster.Node{
					Name: string(rune('a' + i)), Capacity: cluster.Resources{MilliCPU: cores * 1000, Memory: gib << 10},
				})
			}
			w := newWorld(rt, hosts...)
			for i, cores := range sizes {
				id := cluster.ServiceID(string(rune('a'+i)) + "/web")
				w.service(id, policed(cluster.PolicyOptimal, cores*1000, mib))
				w.task(id)
			}
			p := newPlan(FromView(w.st.View(), nil), 1, filters)
			reqs := w.requests()
			for i := range reqs {
				p.decide(&reqs[i])
			}
			change(p)
			return completion(w, p.out)
		}
		greedy, improved := sum(func(*plan) {}), sum((*plan).improve)
		if improved > greedy*(1+1e-9) {
			rt.Fatalf("improved from %v to %v", greedy, improved)
		}
	})
}
