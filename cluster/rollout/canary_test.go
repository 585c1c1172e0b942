package rollout

import (
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func canary(n int) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) { s.Update.Canary = n }
}

func TestCanaryWaitsForItsPromotion(t *testing.T) {
	for _, order := range []cluster.Order{cluster.StartFirst, cluster.StopFirst} {
		t.Run(string(order), func(t *testing.T) {
			ordered := func(s *cluster.ServiceSpec) { s.Update.Order = order }
			w := proven(t, ordered)
			w.deploy("2", canary(1), ordered)
			w.prove()
			generations := func() (old, young int) {
				for task := range w.st.View().TasksOf(web) {
					switch {
					case !live(task):
					case task.Generation == 1:
						old++
					default:
						young++
					}
				}
				return old, young
			}
			if old, young := generations(); old != 2 || young != 1 {
				t.Fatalf("%d old tasks and %d of the canary", old, young)
			}
			// What is lost, or new, comes in the generation that is known to be good.
			w.condition("n2", cluster.Down)
			w.deploy("2", canary(1), ordered, replicas(5))
			w.prove()
			w.condition("n2", cluster.Ready)
			w.prove()
			if old, young := generations(); old != 4 || young != 1 {
				t.Errorf("after a loss: %d old tasks and %d of the canary", old, young)
			}
			w.do(state.Promote{Service: web, Generation: 2})
			w.prove()
			if old, young := generations(); old != 0 || young != 5 {
				t.Errorf("promoted: %d old tasks and %d new ones", old, young)
			}
			if got := w.service().Release.Outcome; got != cluster.OutcomeGood {
				t.Errorf("the generation is %q", got)
			}
		})
	}
}

// What a slot had long ago says nothing: it was scaled away, and is there again
// while a canary is on trial.
func TestSlotsThatReturnBesideACanaryAreOfTheLastGoodGeneration(t *testing.T) {
	w := proven(t)
	w.deploy("1", replicas(1))
	w.prove()
	w.deploy("2", replicas(1))
	w.prove()
	w.deploy("3", canary(1), replicas(3))
	w.prove()
	generations := map[uint64]int{}
	for task := range w.st.View().TasksOf(web) {
		if live(task) {
			generations[task.Generation]++
		}
	}
	if generations[2] != 2 || generations[3] != 1 {
		t.Errorf("tasks by generation: %v", generations)
	}
}

// A node that was drained and is back finds that another has its part of the canary.
func TestCanaryThatWentToAnotherSeatIsNoLarger(t *testing.T) {
	w := proven(t, global)
	w.deploy("2", canary(1), global)
	w.prove()
	w.has("1 t003 g2 n1", "2 t002 g1 n2")
	w.available("n1", cluster.Drained)
	w.prove()
	w.available("n1", cluster.Active)
	w.prove()
	w.has("1 t005 g1 n1", "2 t004 g2 n2")
}

// What a canary does not have is restarted as its own generation says.
func TestCanaryLeavesRestartsOfTheRestAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		was, is  cluster.RestartCondition
		end      cluster.Observed
		followed bool
	}{
		"a job that is done": {cluster.RestartOnFailure, cluster.RestartAny, done, false},
		"its last word":      {cluster.RestartNever, cluster.RestartAny, gaveUp, false},
		"it is tried again":  {cluster.RestartAny, cluster.RestartNever, gaveUp, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := proven(t, replicas(2), restart(tt.was))
			w.deploy("2", replicas(2), canary(1), restart(tt.is))
			w.prove()
			w.has("1 t003 g2 n1", "2 t002 g1 n2")
			w.observe("t002", tt.end)
			w.step()
			w.now = w.now.Add(time.Hour)
			if got := slices.ContainsFunc(w.step(), isCreate); got != tt.followed {
				t.Errorf("followed by another task: %t, want %t", got, tt.followed)
			}
		})
	}
}

func TestCanaryThatFailsGoes(t *testing.T) {
	w := proven(t)
	w.deploy("2", canary(2))
	w.step()
	w.observe("t004", backoff)
	w.prove(2)
	w.has("1 t001 g1 n1", "2 t002 g1 n2", "3 t003 g1 n1")
}

// A canary is on trial until its promotion, however long that takes.
func TestCanaryThatFailsLateGoes(t *testing.T) {
	crashed := cluster.Observed{Phase: cluster.PhaseBackoff, Restarts: 1, ExitCode: 1}
	for name, tt := range map[string]struct {
		ratio float64
		ran   time.Duration
		stays bool
	}{
		"it crashes in a loop":  {0, 3 * time.Second, false},
		"it had run for long":   {0, time.Hour, true},
		"so many are to be had": {0.5, 3 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := proven(t)
			w.deploy("2", canary(2), func(s *cluster.ServiceSpec) { s.Update.MaxFailureRatio = tt.ratio })
			w.prove()
			w.has("1 t004 g2 n2", "2 t005 g2 n1", "3 t003 g1 n1")
			w.now = w.now.Add(24 * time.Hour)
			crashed.Started, crashed.Finished = w.now.Add(-tt.ran), w.now
			w.observe("t005", crashed)
			w.prove()
			if got := w.service(); (got.Generation == 2) != tt.stays {
				t.Errorf("generation %d, returned %+v", got.Generation, got.Returned)
			}
		})
	}
}

func TestFirstGenerationIsNoCanary(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1", canary(1))
	w.prove()
	w.has("1 t001 g1 n1", "2 t002 g1 n1", "3 t003 g1 n1")
}

func TestRollbackReturnsToTheGenerationThatWasAskedFor(t *testing.T) {
	w := proven(t, replicas(1))
	w.deploy("2", replicas(1))
	w.prove()
	w.deploy("3", replicas(1))
	w.prove()
	w.do(state.Rollback{Service: web, To: 1, Note: cluster.Note{Author: "ann@laptop", Message: "too slow"}})
	w.prove()
	w.has("1 t004 g1 n2")
	if s := w.service(); s.Returned == nil || s.Returned.From != 3 || s.Returned.Reason != "asked for by ann@laptop: too slow" {
		t.Errorf("returned %+v", s.Returned)
	}
	w.do(state.Rollback{Service: web}) // back to what was good last
	w.prove()
	w.has("1 t005 g3 n1")
}
