package preempt

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
)

func victim(id string, priority int, cpu, memory int64) Victim {
	return Victim{Task: cluster.TaskID(id), Priority: priority, Resources: cluster.Resources{MilliCPU: cpu, Memory: memory}}
}

func TestChoose(t *testing.T) {
	need := func(cpu, memory int64) Need {
		return Need{Priority: 50, Resources: cluster.Resources{MilliCPU: cpu, Memory: memory}}
	}
	port := cluster.Port{Published: 80, Protocol: "tcp"}
	for name, tt := range map[string]struct {
		need  Need
		tasks []Victim
		want  []string // nil: none will do
	}{
		"the fewest": {
			need(100, 0), []Victim{victim("a", 0, 50, 0), victim("b", 0, 50, 0), victim("c", 40, 100, 0)}, []string{"c"},
		},
		"of one each the lowest": {
			need(100, 0), []Victim{victim("a", 40, 100, 0), victim("b", 10, 100, 0), victim("c", 30, 900, 0)}, []string{"b"},
		},
		"of equal ones the youngest": {
			need(100, 0), []Victim{victim("a", 10, 100, 0), victim("c", 10, 100, 0), victim("b", 10, 100, 0)}, []string{"c"},
		},
		"both amounts": {
			need(100, 100), []Victim{victim("a", 10, 100, 0), victim("b", 10, 0, 100), victim("c", 10, 50, 50)}, []string{"a", "b"},
		},
		"the gap": {
			need(100, 0), []Victim{victim("a", 41, 100, 0)}, nil,
		},
		"not enough": {
			need(100, 0), []Victim{victim("a", 40, 99, 0)}, nil,
		},
		"a port": {
			Need{Priority: 50, Ports: []cluster.Port{port}},
			[]Victim{{Task: "a", Priority: 40, Ports: []cluster.Port{port}}, victim("b", 0, 100, 0)},
			[]string{"a"},
		},
		"a port of one that stays": {
			Need{Priority: 50, Ports: []cluster.Port{port}},
			[]Victim{{Task: "a", Priority: 60, Ports: []cluster.Port{port}}, victim("b", 0, 100, 0)},
			nil,
		},
		"who goes for a port makes room, too": {
			Need{Priority: 50, Ports: []cluster.Port{port}, Resources: cluster.Resources{MilliCPU: 100}},
			[]Victim{{Task: "a", Priority: 40, Ports: []cluster.Port{port}, Resources: cluster.Resources{MilliCPU: 100}}, victim("b", 0, 100, 0)},
			[]string{"a"},
		},
		"a node that holds more than it has": {
			Need{Priority: 50, Resources: cluster.Resources{MilliCPU: 100}, Free: cluster.Resources{MilliCPU: -100}},
			[]Victim{victim("a", 0, 100, 0), victim("b", 10, 100, 0), victim("c", 20, 150, 0)},
			[]string{"a", "b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			set, ok := Choose(tt.need, tt.tasks)
			var got []string
			for _, v := range set {
				got = append(got, string(v.Task))
			}
			if !slices.Equal(got, tt.want) || ok != (tt.want != nil) {
				t.Errorf("chose %v, %t; want %v", got, ok, tt.want)
			}
		})
	}
}

func draw(t *rapid.T, most int) (Need, []Victim) {
	amount := rapid.Int64Range(0, 8)
	tasks := make([]Victim, rapid.IntRange(0, most).Draw(t, "tasks"))
	for i := range tasks {
		tasks[i] = victim(fmt.Sprintf("t%02d", i), rapid.SampledFrom([]int{0, 10, 30, 41, 60}).Draw(t, "priority"), amount.Draw(t, "cpu"), amount.Draw(t, "memory"))
	}
	need := Need{
		Priority:  50,
		Resources: cluster.Resources{MilliCPU: amount.Draw(t, "need cpu") * 3, Memory: amount.Draw(t, "need memory") * 3},
		Free:      cluster.Resources{MilliCPU: amount.Draw(t, "free cpu"), Memory: amount.Draw(t, "free memory")},
	}
	return need, tasks
}

// No set of the tasks that may give way is cheaper.
func TestTheChosenSetIsTheCheapest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		need, tasks := draw(t, 10)
		set, ok := Choose(need, tasks)
		var best *Cost
		for mask := range 1 << len(tasks) {
			var s []Victim
			sum, may := need.Free, true
			for i, v := range tasks {
				if mask&(1<<i) != 0 {
					s, sum, may = append(s, v), sum.Add(v.Resources), may && v.Priority+Gap <= need.Priority
				}
			}
			if c := CostOf(s); may && need.Resources.Fits(sum) && (best == nil || c.Compare(*best) < 0) {
				best = &c
			}
		}
		if ok != (best != nil) || ok && CostOf(set) != *best {
			t.Fatalf("chose %v (%t) at %+v, the best costs %+v", set, ok, CostOf(set), best)
		}
	})
}

// Also where there are too many to try all sets: nobody goes who need not, nor
// who may not, and pairs are the cheapest.
func TestNobodyGoesInVain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		need, tasks := draw(t, 40)
		need.Resources = cluster.Resources{MilliCPU: need.Resources.MilliCPU * 2, Memory: need.Resources.Memory * 2}
		set, ok := Choose(need, tasks)
		most := need.Free
		for _, v := range tasks {
			if v.Priority+Gap <= need.Priority {
				most = most.Add(v.Resources)
			}
		}
		if ok != need.Resources.Fits(most) {
			t.Fatalf("found %t; all that may give way make %+v for %+v", ok, most, need.Resources)
		}
		if !ok {
			return
		}
		sum := need.Free
		for _, v := range set {
			sum = sum.Add(v.Resources)
			if v.Priority+Gap > need.Priority {
				t.Fatalf("%s of priority %d goes", v.Task, v.Priority)
			}
		}
		if !need.Resources.Fits(sum) {
			t.Fatalf("%v make %+v of %+v", set, sum, need.Resources)
		}
		for _, v := range set {
			if need.Resources.Fits(sum.Sub(v.Resources)) {
				t.Fatalf("%s of %v goes in vain", v.Task, set)
			}
		}
	})
}

func TestTheOrderOfTheTasksDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		need, tasks := draw(t, 20)
		a, _ := Choose(need, tasks)
		b, _ := Choose(need, rapid.Permutation(tasks).Draw(t, "mixed"))
		if !slices.EqualFunc(a, b, func(x, y Victim) bool { return x.Task == y.Task }) {
			t.Fatalf("%v and %v", a, b)
		}
	})
}
