package rollout

import (
	"testing"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// unjudged is a service whose first generation is ready, and too young to be
// found good.
func unjudged(t *testing.T, edit ...func(*cluster.ServiceSpec)) *world {
	t.Helper()
	w := newWorld(t, "n1", "n2")
	w.deploy("1", edit...)
	w.run()
	if s := w.service(); s.Release.Outcome != "" {
		t.Fatalf("the first generation is %q", s.Release.Outcome)
	}
	return w
}

func (w *world) generations() map[uint64]int {
	out := map[uint64]int{}
	for task := range w.st.View().TasksOf(web) {
		if live(task) {
			out[task.Generation]++
		}
	}
	return out
}

// A canary is as large as it was asked for, also beside what is too young to be
// judged; what is new or lost meanwhile is not of it.
func TestCanaryBesideWhatNobodyJudged(t *testing.T) {
	w := unjudged(t)
	w.deploy("2", canary(1))
	w.prove()
	if got := w.generations(); got[1] != 2 || got[2] != 1 {
		t.Fatalf("tasks by generation: %v", got)
	}
	w.deploy("2", canary(1), replicas(5))
	w.prove()
	if got := w.generations(); got[1] != 4 || got[2] != 1 {
		t.Errorf("scaled up: %v", got)
	}
	w.condition("n2", cluster.Down)
	w.prove()
	if got := w.service().Release.Canary; got != 1 {
		t.Errorf("the canary is of %d", got)
	}
	w.condition("n2", cluster.Ready)
	w.prove()
	w.do(state.Promote{Service: web, Generation: 2})
	w.prove()
	if got := w.generations(); got[2] != 5 || len(got) != 1 {
		t.Errorf("promoted: %v", got)
	}
}

// One that fails beside it goes back to it: it had done well.
func TestCanaryThatFailsBesideWhatNobodyJudged(t *testing.T) {
	w := unjudged(t)
	w.deploy("2", canary(1))
	w.step()
	w.observe("t004", backoff)
	w.prove(2)
	w.has("1 t001 g1 n1", "2 t002 g1 n2", "3 t003 g1 n1")
}

// Where nothing is ready there is nothing to keep: the new generation may be the
// remedy.
func TestNoCanaryBesideWhatNeverServed(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.deploy("1")
	w.step()
	for _, id := range []cluster.TaskID{"t001", "t002", "t003"} {
		w.observe(id, backoff)
	}
	w.deploy("2", canary(1))
	w.prove()
	if got := w.generations(); got[2] != 3 || len(got) != 1 {
		t.Errorf("tasks by generation: %v", got)
	}
}
