package placement

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
)

func TestBudgetEndsAPlan(t *testing.T) {
	w := newWorld(t, named("n1", "n2", "n3")...)
	for i := range 5 {
		id := cluster.ServiceID(fmt.Sprintf("s%d/web", i))
		w.service(id, memory(256*mib))
		w.task(id)
	}
	w.service("x/large", memory(5*gib))
	w.task("x/large")
	for visits, placed := range map[int]int{0: 1, 1: 1, 4: 1, 5: 2, 100: 5, math.MaxInt: 5} {
		p := PlaceWithin(visits, FromView(w.st.View(), nil), w.requests(), 1)
		if len(p.Assign) != placed || len(p.Assign)+len(p.Pending)+p.Left != 6 {
			t.Errorf("within %d visits %d are placed, %d refused, %d left; want %d placed", visits, len(p.Assign), len(p.Pending), p.Left, placed)
		}
	}
}

// TestBudgetsOnlyCut: a plan within a budget is the beginning of the plan without
// one, and what it looks at is within the budget and one request.
func TestBudgetsOnlyCut(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := randomWorld(rt)
		reqs, visits := w.requests(), rapid.IntRange(0, 60).Draw(rt, "visits")
		if len(reqs) == 0 {
			return
		}
		for i := range reqs { // a policy that improves its batch moves tasks at the end
			reqs[i].place(func(p *cluster.Placement) {
				if p.Policy == cluster.PolicyOptimal {
					p.Policy = cluster.PolicySpread
				}
			})
		}
		snap := FromView(w.st.View(), nil)
		cut, rest := PlaceWithin(visits, snap, reqs, 1), len(reqs)
		rest -= cut.Left
		if rest == 0 {
			rt.Fatal("no request was answered")
		}
		whole := Place(snap, reqs[:rest], 1)
		cut.Left = 0
		if d := cmp.Diff(whole, cut); d != "" {
			rt.Fatalf("the plan of %d requests (-alone +cut):\n%s", rest, d)
		}
	})
}

// TestPanicLosesOneService wherever it comes about: when the group's first task
// is placed, when others are taken from the tree, and when a batch is improved.
func TestPanicLosesOneService(t *testing.T) {
	for at := range 40 {
		w := newWorld(t, named("n1", "n2", "n3")...)
		for _, id := range []cluster.ServiceID{"a/web", "b/bad", "c/web"} {
			w.service(id, func(s *cluster.ServiceSpec) {
				memory(256 * mib)(s)
				s.Placement.Policy = cluster.PolicyOptimal
			})
			for range 3 {
				w.task(id)
			}
		}
		calls := 0
		explode := filter{"explosive", nil, func(_ *plan, _ int, j *job) refusal {
			if j.Service == "b/bad" {
				if calls++; calls > at {
					panic("boom")
				}
			}
			return refusal{}
		}}
		p := place(math.MaxInt, FromView(w.st.View(), nil), w.requests(), 1, append([]filter{explode}, filters...))
		if len(p.SetAside) > 1 || len(p.SetAside) == 1 && p.SetAside[0].Service != "b/bad" {
			t.Fatalf("after %d calls %+v are set aside", at, p.SetAside)
		}
		placed := map[cluster.ServiceID]int{}
		for _, c := range p.Assign {
			task, _ := w.st.View().Task(c.Task)
			placed[task.Service]++
		}
		if placed["a/web"] != 3 || placed["c/web"] != 3 || len(p.Assign)+len(p.Pending) != 9 || len(p.SetAside) == 0 && len(p.Pending) > 0 {
			t.Fatalf("after %d calls %v are placed: %+v", at, placed, p)
		}
		w.apply(p) // refuses what does not fit
	}
}
