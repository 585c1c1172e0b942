package controller

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/health"
	"github.com/musterhq/muster/cluster/state"
)

// running is a cluster of three nodes with a running service of six tasks.
func running(t *testing.T) *world {
	w := newWorld(t, time.Now(), "a", "b", "c")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(6, 500)})
	w.settle()
	w.runAll()
	return w
}

func TestNothingIsProposedBeforeTheBarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t, running(t))
		l.prober.set("10.0.0.2:7070", health.Silent)
		passed := make(chan struct{})
		l.store.barrier = func(ctx context.Context) error {
			select {
			case <-passed:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		l.lead()
		l.beat("c", 500*time.Millisecond)
		pass(5 * time.Second)
		if made := l.store.proposals(); len(made) > 0 {
			t.Fatalf("proposed %+v", made)
		}
		if l.prober.count("10.0.0.2:7070") == 0 {
			t.Error("the silent host was not dialled meanwhile")
		}
		if !l.Suspects()["b"] {
			t.Error("the silent node is not suspect")
		}

		close(passed)
		synctest.Wait()
		made := l.store.proposals()
		if len(made) != 1 || len(made[0].Conditions) != 1 || len(made[0].Create) != 2 {
			t.Fatalf("proposed %+v, want the verdict and the replacements at once", made)
		}
	})
}

// A Barrier that fails is tried again, not in a hot loop.
func TestBarrierIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, time.Now(), "a")
		w.deploy(map[string]cluster.ServiceSpec{"web": spec(1, 0)})
		l := newLeader(t, w)
		tries := 0
		l.store.barrier = func(context.Context) error {
			if tries++; tries < 4 {
				return errors.New("not yet")
			}
			return nil
		}
		begun := time.Now()
		l.lead()
		pass(time.Second)
		made := l.store.proposals()
		if len(made) != 1 || made[0].at.Sub(begun) != 3*barrierPause {
			t.Errorf("proposed %+v after %d tries", made, tries)
		}
	})
}

func TestSilentHostIsReplacedByOneCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t, running(t))
		l.lead()
		stop := l.beat("b", 500*time.Millisecond)
		l.beat("c", 500*time.Millisecond)
		pass(10 * time.Second)
		if made := l.store.proposals(); len(made) > 0 {
			t.Fatalf("a healthy cluster: proposed %+v", made)
		}

		stop()
		died := time.Now()
		l.prober.set("10.0.0.2:7070", health.Silent)
		pass(5 * time.Second)
		made := l.store.proposals()
		if len(made) != 1 {
			t.Fatalf("%d proposals, want one: %+v", len(made), made)
		}
		d := made[0]
		if len(d.Conditions) != 1 || d.Conditions[0].Node != "b" || d.Conditions[0].Condition != cluster.Down {
			t.Errorf("conditions %+v", d.Conditions)
		}
		if len(d.Create) != 2 || slices.ContainsFunc(d.Create, func(task cluster.Task) bool { return task.Node != "a" && task.Node != "c" }) {
			t.Errorf("created %+v", d.Create)
		}
		if took := d.at.Sub(died); took > 2*time.Second {
			t.Errorf("decided %s after the last heartbeat", took)
		}
		if l.prober.asked["c"] == 0 {
			t.Error("no other node was asked to dial the host")
		}
	})
}

// An agent that dies on a living host moves nothing.
func TestLivingHostKeepsItsTasks(t *testing.T) {
	for name, o := range map[string]health.Outcome{"refused": health.Refused, "accepted": health.Accepted} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLeader(t, running(t))
				l.lead()
				stop := l.beat("b", 500*time.Millisecond)
				l.beat("c", 500*time.Millisecond)
				pass(10 * time.Second)
				stop()
				l.prober.set("10.0.0.2:7070", o)
				pass(30 * time.Second)
				if c := l.store.View().Condition("b"); c != cluster.Away {
					t.Errorf("the node is %s, want away", c)
				}
				for _, p := range l.store.proposals() {
					if len(p.Create)+len(p.Stop)+len(p.Assign) > 0 {
						t.Errorf("moved tasks: %+v", p)
					}
				}
				l.beat("b", 500*time.Millisecond)
				pass(time.Second)
				if c := l.store.View().Condition("b"); c != cluster.Ready {
					t.Errorf("back, the node is %s", c)
				}
			})
		})
	}
}

// Whatever wakes the loop, decisions that do not take are made at a steady pace.
func TestDecisionsThatDoNotTakeArePaced(t *testing.T) {
	const span = 10 * time.Second
	fail := errors.New("no")
	for _, tc := range []struct {
		name   string
		refuse func(s *fakeStore) func(context.Context, state.Reconcile) (state.Result, error)
		pause  time.Duration
	}{
		{"an error", func(*fakeStore) func(context.Context, state.Reconcile) (state.Result, error) {
			return func(context.Context, state.Reconcile) (state.Result, error) { return state.Result{}, fail }
		}, failedPause},
		{"a refusal of the whole", func(*fakeStore) func(context.Context, state.Reconcile) (state.Result, error) {
			return func(context.Context, state.Reconcile) (state.Result, error) {
				return state.Result{Err: &state.Error{Code: state.CodeConflict, Message: "no"}}, nil
			}
		}, failedPause},
		{"a refusal of a part that changes the state", func(s *fakeStore) func(context.Context, state.Reconcile) (state.Result, error) {
			return func(context.Context, state.Reconcile) (state.Result, error) {
				s.commit(state.LabelNode{Node: "a", Set: map[string]string{"x": time.Now().String()}})
				return state.Result{Refused: []state.Refusal{{Reason: "stale"}}}, nil
			}
		}, refusedPause},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, time.Now(), "a", "b")
				w.do(state.Reconcile{Conditions: []state.NodeCondition{down("b")}})
				w.deploy(map[string]cluster.ServiceSpec{"web": spec(1, 0)})
				l := newLeader(t, w)
				l.store.refuse = tc.refuse(l.store)
				l.lead()
				l.beat("b", 10*time.Millisecond) // its return is news each time
				pass(span)
				made, want := len(l.store.proposals()), int(span/tc.pause)
				if made < want-2 || made > want+2 {
					t.Errorf("%d proposals within %s, want about %d", made, span, want)
				}
			})
		})
	}
}

// One refusal is made up for at once.
func TestFirstRefusalIsTriedAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, time.Now(), "a", "b")
		w.deploy(map[string]cluster.ServiceSpec{"web": spec(2, 500)})
		l := newLeader(t, w)
		l.store.refuse = func(_ context.Context, r state.Reconcile) (state.Result, error) {
			l.store.refuse = nil
			l.store.commit(state.SetAvailability{Node: "b", Availability: cluster.Cordoned})
			return l.store.commit(r), nil
		}
		l.lead()
		synctest.Wait()
		for _, task := range w.wanted(web) {
			if task.Node != "a" {
				t.Errorf("task %s is on %q", task.ID, task.Node)
			}
		}
		if made := l.store.proposals(); len(made) != 2 {
			t.Errorf("%d proposals, want 2", len(made))
		}
	})
}

// A decision that fails is tried again, and does not hide the death of a host.
func TestPanicOfTheDecisionIsSurvived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t, running(t))
		l.prober.set("10.0.0.2:7070", health.Silent)
		healed := time.Now().Add(10 * time.Second)
		var tries atomic.Int32
		l.decide = func(v state.View, f Facts, now time.Time, newID func() cluster.TaskID) Decision {
			if tries.Add(1); now.Before(healed) {
				panic("a bug")
			}
			return Decide(v, f, now, newID)
		}
		l.lead()
		l.beat("c", 500*time.Millisecond)
		pass(5 * time.Second)
		if c := l.store.View().Condition("b"); c != cluster.Down {
			t.Errorf("the dead node is %s", c)
		}
		if n := tries.Load(); n > 25 {
			t.Errorf("%d decisions failed within 5 s", n)
		}
		pass(10 * time.Second)
		on := nodesOf(l.store.w.wanted(web))
		if n := len(on); n != 8 { // six, of which two have a successor
			t.Errorf("after it healed the tasks are on %v", on)
		}
	})
}

func TestNothingIsHeardWhileNotLeading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t, running(t))
		beat := api.Heartbeat{Node: "b", Usage: &api.Usage{MilliCPU: 7}, Problems: []string{"a trouble"}}
		silent := func(when string) {
			t.Helper()
			if i := l.Heartbeat(beat); i != 0 {
				t.Errorf("%s: the heartbeat is answered with index %d", when, i)
			}
			l.GossipDead("b")
			if u, ok := l.Usage("b"); ok {
				t.Errorf("%s: usage %+v", when, u)
			}
			if p, s := l.Problems("b"), l.Suspects(); len(p)+len(s) > 0 {
				t.Errorf("%s: problems %v, suspects %v", when, p, s)
			}
		}
		silent("before")
		l.lead()
		synctest.Wait()
		if i := l.Heartbeat(beat); i != l.store.View().Index() {
			t.Errorf("the heartbeat is answered with index %d, want that of the view", i)
		}
		if u, ok := l.Usage("b"); !ok || u.MilliCPU != 7 || len(l.Problems("b")) != 1 {
			t.Errorf("usage %+v %v, problems %v", u, ok, l.Problems("b"))
		}
		l.Heartbeat(api.Heartbeat{Node: "b"}) // it could not measure
		if u, ok := l.Usage("b"); ok {
			t.Errorf("the node measured nothing, and its usage is %+v", u)
		}
		l.stop()
		silent("after")
	})
}

// What a removed node said last is forgotten.
func TestRemovedNodesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeader(t, running(t))
		l.lead()
		l.Heartbeat(api.Heartbeat{Node: "b", Problems: []string{"a trouble"}})
		l.store.commit(state.RemoveNode{ID: "b"})
		synctest.Wait()
		if p := l.Problems("b"); len(p) > 0 {
			t.Errorf("problems %v", p)
		}
	})
}

// The answer to a heartbeat never names an older index than that of the newest
// change of the node's tasks, also when a commit lands while the loop looks.
func TestHeartbeatNamesTheNewestIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := running(t)
		l := newLeader(t, w)
		var task cluster.TaskID
		for on := range w.st.View().TasksOn("b") {
			task = on.ID
		}
		seen := func(restarts int) {
			l.store.commit(state.Observe{Node: "b", Tasks: []state.TaskObserved{{Task: task, Observed: cluster.Observed{Phase: cluster.PhaseRunning, Restarts: restarts}}}})
		}
		l.store.afterView = func() { seen(1) }
		l.lead()
		l.beat("b", 500*time.Millisecond)
		l.beat("c", 500*time.Millisecond)
		synctest.Wait()
		if got, want := l.Heartbeat(api.Heartbeat{Node: "b"}), l.store.View().Index(); got != want {
			t.Errorf("index %d, want %d", got, want)
		}
		l.store.mu.Lock()
		l.store.afterView = func() { seen(3) }
		l.store.mu.Unlock()
		seen(2)
		synctest.Wait()
		newest := l.store.View().Index()
		if got := l.Heartbeat(api.Heartbeat{Node: "b"}); got != newest {
			t.Errorf("index %d, want %d", got, newest)
		}
		l.store.commit(state.LabelNode{Node: "b", Set: map[string]string{"x": "y"}})
		synctest.Wait()
		if got := l.Heartbeat(api.Heartbeat{Node: "b"}); got != newest {
			t.Errorf("after a change of no task: index %d, want %d", got, newest)
		}
	})
}

// The end of the term ends everything that it started, whatever that waits for.
func TestLeadReturnsWithEverythingJoined(t *testing.T) {
	block := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for name, set := range map[string]func(l *leader){
		"waiting for the barrier": func(l *leader) { l.store.barrier = block },
		"retrying the barrier": func(l *leader) {
			l.store.barrier = func(context.Context) error { return errors.New("no") }
		},
		"proposing": func(l *leader) {
			l.store.refuse = func(ctx context.Context, _ state.Reconcile) (state.Result, error) { return state.Result{}, block(ctx) }
		},
		"dialling": func(l *leader) {
			l.prober.set("10.0.0.2:7070", health.Silent)
			l.prober.set("10.0.0.3:7070", health.Silent)
		},
		"asking": func(l *leader) {
			l.prober.set("10.0.0.2:7070", health.Silent)
			l.prober.set("c", health.Silent)
		},
		"changing the voters": func(l *leader) {
			l.cfg.Voters = &fakeVoters{change: func(ctx context.Context, _ *fakeVoters) error { return block(ctx) }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := running(t)
				w.deploy(map[string]cluster.ServiceSpec{"web": spec(9, 100)})
				l := newLeader(t, w)
				set(l)
				l.lead()
				pass(250 * time.Millisecond)
				ended := time.Now()
				l.stop() // the bubble reports goroutines that are left
				if took := time.Since(ended); took > 0 {
					t.Errorf("it took %s to end", took)
				}
				if len(l.store.watchers) > 0 {
					t.Error("the watcher was not closed")
				}
			})
		})
	}
}

// A controller leads again after it was deposed.
func TestSecondTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, time.Now(), "a")
		l := newLeader(t, w)
		l.lead()
		synctest.Wait()
		l.stop()
		l.store.commit(state.PutStack{Stack: "s", Services: []state.NamedSpec{{Name: "web", Spec: spec(1, 0)}}})
		synctest.Wait()
		if made := l.store.proposals(); len(made) > 0 {
			t.Fatalf("deposed, it proposed %+v", made)
		}
		l.lead()
		synctest.Wait()
		if made := l.store.proposals(); len(made) != 1 {
			t.Errorf("leading again, it made %d proposals", len(made))
		}
	})
}
