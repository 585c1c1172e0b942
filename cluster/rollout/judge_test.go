package rollout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// prove runs what is deployed until the leader has nothing to wait for.
func (w *world) prove(broken ...uint64) {
	w.t.Helper()
	for range 200 {
		w.run(broken...)
		if w.wake.IsZero() {
			return
		}
		w.now = w.wake
	}
	w.t.Fatal("there is still something to wait for after 200 waits")
}

func (w *world) service() *cluster.Service {
	w.t.Helper()
	s, ok := w.st.View().Service(web)
	if !ok {
		w.t.Fatal("the service is gone")
	}
	return s
}

func onFailure(a cluster.FailureAction) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) { s.Update.FailureAction = a }
}

// proven is a world with generation 1 of three tasks, known to be good.
func proven(t *testing.T, edit ...func(*cluster.ServiceSpec)) *world {
	w := newWorld(t, "n1", "n2")
	w.deploy("1", edit...)
	w.prove()
	if got := w.service().Release.Outcome; got != cluster.OutcomeGood {
		t.Fatalf("the first generation is %q", got)
	}
	return w
}

func TestGenerationIsGoodOnceItsTasksHeld(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1", replicas(2))
	w.step()
	w.observe("t001", running)
	w.now = w.now.Add(2 * time.Second)
	w.observe("t002", running)
	w.decides()
	if want := w.now.Add(5 * time.Second); !w.wake.Equal(want) {
		t.Errorf("wakes at %s, want %s", w.wake, want)
	}
	w.now = w.wake
	w.decides("s/web g1 is good")
}

func TestFailedUpdateRollsTheServiceBack(t *testing.T) {
	for name, failure := range map[string]cluster.Observed{
		"crashes":   {Phase: cluster.PhaseBackoff, ExitCode: 7, Started: t0, Finished: t0.Add(time.Second)},
		"restarts":  {Phase: cluster.PhaseRunning, Health: cluster.HealthStarting, Restarts: 1, ExitCode: 7},
		"is sick":   {Phase: cluster.PhaseRunning, Health: cluster.HealthUnhealthy},
		"gives up":  {Phase: cluster.PhaseExited, Final: true, ExitCode: 7},
		"the error": {Phase: cluster.PhaseBackoff, Started: t0, Finished: t0, Error: "out of memory"},
	} {
		t.Run(name, func(t *testing.T) {
			w := proven(t)
			w.deploy("2")
			w.decides("create 1 t004 g2 for t001")
			w.observe("t004", running)
			w.decides("stop t001: replaced: updated to generation 2", "create 2 t005 g2 for t002")
			w.observe("t005", failure)
			lines := w.step()
			if !strings.HasPrefix(lines[0], "s/web g2 is failed: 1 of 3 tasks failed: web.2 on n1") || lines[len(lines)-1] != "create 1 t006 g1 for t004" {
				t.Errorf("decides %q", lines)
			}
			w.prove(2)
			var left []cluster.TaskID
			for task := range w.st.View().TasksOf(web) {
				if live(task) {
					left = append(left, task.ID)
				}
			}
			if d := cmp.Diff([]cluster.TaskID{"t006", "t002", "t003"}, left); d != "" {
				t.Errorf("tasks (-want +got):\n%s", d)
			}
			s := w.service()
			if s.Generation != 1 || s.Returned == nil || s.Returned.From != 2 || s.Returned.Outcome != cluster.OutcomeGood {
				t.Errorf("the service is at generation %d, returned %+v", s.Generation, s.Returned)
			}
			if n := len(s.History); n != 1 || s.History[0].Number != 2 || s.History[0].Release.Outcome != cluster.OutcomeFailed || s.History[0].Release.Reason == "" {
				t.Errorf("history: %+v", s.History)
			}
			w.deploy("2")
			if got := w.service(); got.Generation != 3 || got.Returned != nil || got.Outcome() != "" {
				t.Errorf("the next deploy is generation %d: %+v", got.Generation, got)
			}
			w.prove()
			if got := w.service(); got.Release.Outcome != cluster.OutcomeGood {
				t.Errorf("generation 3 is %q", got.Release.Outcome)
			}
		})
	}
}

func TestStopFirstUpdateRollsBack(t *testing.T) {
	w := proven(t, stopFirst)
	w.deploy("2", stopFirst)
	w.prove(2)
	w.has("1 t005 g1 n1", "2 t002 g1 n2", "3 t003 g1 n1")
}

func TestFailureAfterALongRunIsNotTheUpdates(t *testing.T) {
	w := proven(t)
	w.deploy("2")
	w.step()
	w.observe("t004", running)
	w.step()
	begun := w.now
	w.now = w.now.Add(cluster.DefaultRestartWindow)
	w.observe("t004", cluster.Observed{Phase: cluster.PhaseBackoff, Restarts: 1, Started: begun, Finished: w.now})
	w.observe("t005", running)
	w.prove()
	if s := w.service(); s.Generation != 2 || s.Release.Outcome != cluster.OutcomeGood {
		t.Errorf("generation %d is %q", s.Generation, s.Release.Outcome)
	}
}

func TestStartsThatAreRefusedForLongAreAFailure(t *testing.T) {
	w := proven(t)
	w.deploy("2")
	w.step()
	refused := cluster.Observed{Phase: cluster.PhaseBackoff, Error: "the engine does not answer"}
	w.now = w.now.Add(29 * time.Second)
	w.observe("t004", refused)
	w.decides()
	w.now = w.now.Add(time.Second)
	refused.Error = "exec: no such file"
	w.observe("t004", refused)
	w.decides("s/web g2 is failed: 1 of 3 tasks failed: web.1 on n2: exec: no such file", "s/web g1 is good", "stop t004: rolled back to generation 1")
}

func TestUpdateThatDoesNotProceedFails(t *testing.T) {
	for name, full := range map[string]bool{"not ready": false, "no room": true} {
		t.Run(name, func(t *testing.T) {
			w := proven(t)
			w.full = full
			w.deploy("2", func(s *cluster.ServiceSpec) { s.Update.ProgressDeadline = time.Minute })
			w.step()
			w.decides()
			if want := w.now.Add(time.Minute); !w.wake.Equal(want) {
				t.Fatalf("wakes at %s, want %s", w.wake, want)
			}
			w.now = w.wake
			why := "web.1 on n2 was not ready within 1m0s"
			if full {
				why = "web.1 found no node for 1m0s: no room"
			}
			w.decides("s/web g2 is failed: 1 of 3 tasks failed: "+why, "s/web g1 is good", "stop t004: rolled back to generation 1")
		})
	}
}

func TestRoomThatNeverWasFailsNoUpdate(t *testing.T) {
	w := proven(t, replicas(1))
	w.full = true
	w.deploy("1", replicas(3)) // no room for two
	w.run()
	w.deploy("2", replicas(3))
	w.step()
	w.decides("create 1 t006 g2 for t001")
	w.do(state.Reconcile{Assign: []state.Assign{{Task: "t006", Generation: 2, Node: "n1"}}})
	w.observe("t006", running)
	w.now = w.now.Add(time.Hour)
	w.decides("s/web g2 is good", "stop t001: replaced: updated to generation 2")
}

func TestPausedUpdate(t *testing.T) {
	w := proven(t, onFailure(cluster.ActionPause))
	w.deploy("2", onFailure(cluster.ActionPause))
	w.step()
	w.observe("t004", running)
	w.step()
	w.observe("t005", backoff)
	w.decides("s/web g2 is paused: 1 of 3 tasks failed: web.2 on n1: exit code 1", "stop t005: withdrawn: the update is paused")
	w.run()
	w.has("1 t004 g2 n2", "2 t002 g1 n2", "3 t003 g1 n1")

	// What is lost meanwhile comes back as it was, and what is new is good.
	w.condition("n1", cluster.Down)
	w.decides("create 3 t006 g1 for t003")
	w.condition("n1", cluster.Ready)
	w.deploy("2", onFailure(cluster.ActionPause), replicas(4))
	w.run()
	w.has("1 t004 g2 n2", "2 t002 g1 n2", "3 t003 g1 n1", "4 t007 g1 n1")

	w.deploy("3", onFailure(cluster.ActionPause), replicas(4)) // goes on
	w.prove()
	if s := w.service(); s.Generation != 3 || s.Release.Outcome != cluster.OutcomeGood {
		t.Errorf("generation %d is %q", s.Generation, s.Release.Outcome)
	}
}

func TestUpdateGoesOnPastFailuresThatAreAllowed(t *testing.T) {
	for _, tc := range []struct {
		name    string
		update  cluster.Update
		failing int // tasks of four that fail
		gen     uint64
	}{
		{"none allowed", cluster.Update{}, 1, 1},
		{"a quarter allowed, one fails", cluster.Update{MaxFailureRatio: 0.25}, 1, 2},
		{"a quarter allowed, two fail", cluster.Update{MaxFailureRatio: 0.25}, 2, 1},
		{"whatever happens", cluster.Update{FailureAction: cluster.ActionContinue}, 4, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			set := func(s *cluster.ServiceSpec) { s.Update, s.Replicas = tc.update, 4 }
			w := proven(t, set)
			w.deploy("2", set)
			fails := map[int]bool{}
			for range 50 {
				w.step()
				for task := range w.st.View().TasksOf(web) {
					switch {
					case task.Ended() || task.Node == "":
					case task.Desired == cluster.Stopped:
						w.observe(task.ID, exited)
					case task.Generation == 2 && (fails[task.Slot] || len(fails) < tc.failing):
						fails[task.Slot] = true
						w.observe(task.ID, backoff)
					default:
						w.observe(task.ID, running)
					}
				}
			}
			if got := w.service().Generation; got != tc.gen {
				t.Errorf("generation %d, want %d", got, tc.gen)
			}
			for task := range w.st.View().TasksOf(web) {
				if live(task) && task.Generation != tc.gen && !fails[task.Slot] {
					t.Errorf("slot %d is still at generation %d", task.Slot, task.Generation)
				}
			}
		})
	}
}

func TestTasksWithoutAHealthCheckAreWatchedBeforeTheNext(t *testing.T) {
	unchecked := func(s *cluster.ServiceSpec) { s.Template.Container.Healthcheck = nil }
	w := proven(t, unchecked)
	w.deploy("2", unchecked)
	w.step()
	w.observe("t004", running)
	w.decides("stop t001: replaced: updated to generation 2")
	w.now = w.wake
	w.decides("create 2 t005 g2 for t002")
}

func TestRollbackFollowsItsOwnConfiguration(t *testing.T) {
	config := func(s *cluster.ServiceSpec) {
		s.Replicas = 4
		s.Update.Parallelism = 4
		s.Rollback = &cluster.Update{Parallelism: 2, Order: cluster.StopFirst, FailureAction: cluster.ActionPause}
	}
	w := proven(t, config)
	w.deploy("2", config)
	w.step()
	for _, id := range []cluster.TaskID{"t005", "t006", "t007"} {
		w.observe(id, running)
	}
	w.step()
	w.observe("t008", backoff)
	w.decides("s/web g2 is failed: 1 of 4 tasks failed: web.4 on n2: exit code 1",
		"stop t008: rolled back to generation 1", "stop t005: rolled back to generation 1", "stop t006: rolled back to generation 1")
	w.agents()
	w.step()
	w.observe("t009", backoff)
	w.decides("s/web g1 is paused: 1 of 4 tasks failed: web.1 on n1: exit code 1")
	if s := w.service(); s.Returned.Outcome != cluster.OutcomePaused || s.Release.Outcome != cluster.OutcomeGood {
		t.Errorf("returned %+v, release %+v", s.Returned, s.Release)
	}
}

func TestFirstGenerationHasNothingToGoBackTo(t *testing.T) {
	w := newWorld(t, "n1")
	w.deploy("1")
	w.run(1)
	w.deploy("2")
	w.run(2)
	if s := w.service(); s.Generation != 2 || s.Outcome() != "" {
		t.Errorf("generation %d is %q", s.Generation, s.Outcome())
	}
}

// A service that is changed before its first generation could be found good goes
// back to that one, if it was well so far.
func TestFailedUpdateReturnsToWhatWasLeftEarly(t *testing.T) {
	early := func(t *testing.T, edit ...func(*cluster.ServiceSpec)) *world {
		w := newWorld(t, "n1", "n2")
		w.deploy("1", edit...)
		w.run()
		if got := w.service().Release.Outcome; got != "" {
			t.Fatalf("the first generation is %q already", got)
		}
		return w
	}
	w := early(t)
	w.deploy("2")
	w.run(2)
	w.prove(2)
	if s := w.service(); s.Generation != 1 || s.Release.Outcome != cluster.OutcomeGood || s.Returned.From != 2 {
		t.Errorf("generation %d, %+v, returned %+v", s.Generation, s.Release, s.Returned)
	}

	w = early(t, onFailure(cluster.ActionPause))
	w.deploy("2", onFailure(cluster.ActionPause))
	w.run(2)
	if s := w.service(); s.Generation != 2 || s.Outcome() != cluster.OutcomePaused {
		t.Errorf("generation %d is %q", s.Generation, s.Outcome())
	}

	w = early(t)
	w.observe("t001", backoff)
	w.deploy("2")
	w.run(2)
	if s := w.service(); s.Generation != 2 || s.Outcome() != "" {
		t.Errorf("one of its tasks had failed: generation %d is %q", s.Generation, s.Outcome())
	}
}

// judgeNothing has a voter that knows no verdicts: updates that fail stay where
// they stuck.
func (w *world) judgeNothing() { w.do(state.UpdateNode{ID: "n1", Commands: 2}) }

func TestOlderVotersAreAskedForNoVerdict(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.judgeNothing()
	w.deploy("1")
	w.prove()
	if got := w.service().Release; got != (cluster.Release{}) {
		t.Errorf("a voter of version 2 is to know %+v", got)
	}
}

// TestVerdictsDependOnNoLeader lets leaders die: each of the leader's decisions
// is lost some times before one is applied, and the end is the same.
func TestVerdictsDependOnNoLeader(t *testing.T) {
	var want []string
	for lost := range 4 {
		w := proven(t)
		w.deploy("2")
		for i := range 40 {
			for range lost * (i % 3) {
				Step(w.st.View(), w.now, func() cluster.TaskID { return "lost" }, w.opts)
			}
			w.step()
			w.agents()
			if i == 2 {
				w.observe("t005", backoff)
			}
			w.now = w.now.Add(time.Second)
		}
		var got []string
		for task := range w.st.View().TasksOf(web) {
			got = append(got, fmt.Sprint(task.Slot, task.Generation, task.Desired))
		}
		if want == nil {
			want = got
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("with %d decisions lost (-none +some):\n%s", lost, d)
		}
	}
}
