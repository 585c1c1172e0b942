package worker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStartTakesThreeCalls(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		lists := h.engine.Calls(fake.OpList)
		h.assign(assign("t1", func(a *Assignment) {
			a.Template.Ports = []cluster.Port{{Target: 80, Published: 80, Protocol: "tcp", Mode: cluster.Ingress}}
		}))
		o := h.expect("t1", cluster.PhaseRunning)
		if len(o.Ports) != 1 || o.Ports[0].Host == 0 || o.Address != "10.0.0.1" || o.Restarts != 0 {
			t.Errorf("observed %+v", o)
		}
		for op, want := range map[fake.Op]int{fake.OpCreate: 1, fake.OpStart: 1, fake.OpInspect: 1, fake.OpList: lists} {
			if got := h.engine.Calls(op); got != want {
				t.Errorf("%d calls of %s, want %d", got, op, want)
			}
		}
	})
}

func TestTwoStartsAtATime(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.engine.Fail(fake.OpStart, fake.Fault{Delay: time.Second})
		var all []Assignment
		for i := range 6 {
			all = append(all, assign(fmt.Sprintf("t%d", i)))
		}
		h.assign(all...)
		for i := range 3 {
			if got := h.engine.Calls(fake.OpStart); got != 2*(i+1) {
				t.Errorf("after %ds: %d starts, want %d", i, got, 2*(i+1))
			}
			h.pass(time.Second)
		}
		h.expect("t5", cluster.PhaseRunning)
	})
}

func TestBackoffGrowsAndIsForgiven(t *testing.T) {
	lives := []time.Duration{1, 1, 1, 1, 70, 1, 1} // seconds of the runs; then for ever
	var starts []time.Time
	behave := func(runtime.Create) fake.Behaviour {
		starts = append(starts, time.Now())
		if len(starts) > len(lives) {
			return fake.Behaviour{}
		}
		return fake.Behaviour{ExitAfter: lives[len(starts)-1] * time.Second, ExitCode: 3}
	}
	inBubble(t, behave, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		id := h.box("t1").ID
		h.pass(1500 * time.Millisecond)
		if o := h.expect("t1", cluster.PhaseBackoff); o.ExitCode != 3 || o.Error != "exited with code 3" || o.Finished.IsZero() {
			t.Errorf("in back-off: %+v", o)
		}
		h.pass(10 * time.Minute)
		var gaps []time.Duration
		for i := 1; i < len(starts); i++ {
			gaps = append(gaps, starts[i].Sub(starts[i-1])/time.Second-lives[i-1])
		}
		if want := []time.Duration{1, 2, 4, 8, 1, 2, 4}; !slices.Equal(gaps, want) {
			t.Errorf("pauses between runs: %v seconds, want %v", gaps, want)
		}
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 7 || o.Error != "" {
			t.Errorf("at last: %+v, want 7 restarts and no error", o)
		}
		if h.box("t1").ID != id {
			t.Error("the container was made anew, want it restarted in place")
		}
	})
}

func TestGivesUp(t *testing.T) {
	dies := func(runtime.Create) fake.Behaviour { return fake.Behaviour{ExitAfter: time.Second, ExitCode: 4} }
	inBubble(t, dies, func(t *testing.T, h *host) {
		h.assign(assign("t1", restart(cluster.RestartPolicy{MaxAttempts: 2})))
		h.pass(time.Hour)
		o := h.expect("t1", cluster.PhaseExited)
		if !o.Final || o.ExitCode != 4 || o.Restarts != 2 || o.Error != "gave up after 2 restarts: exited with code 4" {
			t.Errorf("observed %+v", o)
		}
		if got := h.engine.Calls(fake.OpStart); got != 3 {
			t.Errorf("%d starts, want 3", got)
		}
	})
}

func TestAdoptionAfterRestart(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"), assign("t2", stopped))
		h.pass(time.Minute)
		before := h.expect("t1", cluster.PhaseRunning)
		h.stop()
		if c := h.box("t1"); c.Status != runtime.StatusRunning {
			t.Fatalf("the agent's end left the container %s", c.Status)
		}
		h.pass(time.Minute)
		h.latest = map[cluster.TaskID]cluster.Observed{}
		h.boot() // no set comes: it runs what it finds on disk
		h.pass(time.Minute)
		if diff := cmp.Diff(before, h.expect("t1", cluster.PhaseRunning)); diff != "" {
			t.Errorf("before the agent's restart, after it: %s", diff)
		}
		if creates, starts := h.engine.Calls(fake.OpCreate), h.engine.Calls(fake.OpStart); creates != 1 || starts != 1 {
			t.Errorf("%d creates and %d starts, want one each", creates, starts)
		}
		if s := h.worker.Snapshot(); s.Epoch != 1 || s.Index != 1 {
			t.Errorf("set (%d, %d) was loaded, want (1, 1)", s.Epoch, s.Index)
		}
	})
}

func TestRestartsAreCountedAcrossAgents(t *testing.T) {
	runs := 0
	behave := func(runtime.Create) fake.Behaviour {
		if runs++; runs > 2 {
			return fake.Behaviour{}
		}
		return fake.Behaviour{ExitAfter: time.Second, ExitCode: 3}
	}
	inBubble(t, behave, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		h.pass(time.Minute)
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 2 {
			t.Fatalf("%d restarts, want 2", o.Restarts)
		}
		h.stop()
		h.latest = map[cluster.TaskID]cluster.Observed{}
		h.boot() // no set comes: it knows what is on disk
		h.pass(time.Minute)
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 2 {
			t.Errorf("the next agent reports %d restarts, want 2", o.Restarts)
		}
	})
}

func TestReboot(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		id := h.box("t1").ID
		h.stop()
		h.engine.Reboot()
		h.pass(time.Minute)
		h.boot()
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 1 || o.ContainerID != id {
			t.Errorf("after the reboot: %+v, want one restart of %s", o, id)
		}
	})
}

func TestStopKeepsTheGrace(t *testing.T) {
	slow := func(runtime.Create) fake.Behaviour { return fake.Behaviour{StopTakes: time.Hour} }
	inBubble(t, slow, func(t *testing.T, h *host) {
		grace := func(a *Assignment) { a.Template.Container.StopGrace = 40 * time.Second }
		h.assign(assign("t1", grace))
		h.assign(assign("t1", grace, stopped))
		h.pass(39 * time.Second)
		h.expect("t1", cluster.PhaseRunning)
		h.pass(time.Second)
		if o := h.expect("t1", cluster.PhaseExited); o.ExitCode != 137 || o.Final {
			t.Errorf("observed %+v", o)
		}
		h.box("t1") // stays for logs
	})
}

func TestStrays(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"), assign("t2"))
		h.stop()
		h.pass(time.Second)
		if err := os.Remove(filepath.Join(h.dir, fileName)); err != nil {
			t.Fatal(err)
		}
		h.boot()
		h.pass(10 * time.Minute)
		if got := len(h.engine.Snapshot()); got != 2 {
			t.Fatalf("%d containers left without any set, want 2", got)
		}
		h.assign(assign("t1"))
		h.pass(9 * time.Second)
		if got := len(h.engine.Snapshot()); got != 2 {
			t.Errorf("%d containers within the grace, want 2", got)
		}
		h.pass(2 * time.Second)
		if got := h.engine.Snapshot(); len(got) != 1 || got[0].Labels[runtime.LabelTask] != "t1" {
			t.Errorf("left: %+v, want the container of t1 alone", got)
		}
	})
}

// The ended containers of a service stay as long as it is there, and go with it,
// also when an agent comes back only then.
func TestEndedContainersGoWithTheirService(t *testing.T) {
	for name, away := range map[string]bool{"at work": false, "away meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, h *host) {
				web := []cluster.ServiceID{"shop/web"}
				h.assignOf(web, assign("t1"))
				h.assignOf(web, assign("t1", stopped))
				h.pass(time.Second)
				h.expect("t1", cluster.PhaseExited)
				h.assignOf(web)
				h.pass(time.Minute)
				h.box("t1")
				if away {
					h.stop()
					h.boot()
					h.pass(time.Minute)
					h.box("t1")
				}
				h.assignOf([]cluster.ServiceID{})
				if left := h.engine.Snapshot(); len(left) != 0 {
					t.Errorf("left: %+v", left)
				}
			})
		})
	}
}

func TestOvertakenSetIsIgnored(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.index = 10
		h.assign(assign("t1"))
		h.worker.Assign(Set{Epoch: 1, Index: 3})
		h.worker.Assign(Set{Epoch: 0, Index: 99})
		h.pass(time.Minute)
		h.box("t1")
		h.worker.Assign(Set{Epoch: 2, Index: 1})
		h.pass(time.Minute)
		if got := h.engine.Snapshot(); len(got) != 0 {
			t.Errorf("after a newer epoch's empty set %d containers are left", len(got))
		}
	})
}

func TestReportsAreSentUntilAccepted(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.setRefusal(errors.New("no leader"))
		h.assign(assign("t1"))
		h.pass(time.Minute)
		h.setRefusal(nil)
		h.pass(lastRetry)
		h.expect("t1", cluster.PhaseRunning)
		if len(h.reports) != 1 {
			t.Errorf("%d reports, want one: only the latest counts", len(h.reports))
		}
		h.pass(time.Minute)
		if len(h.reports) != 1 {
			t.Errorf("%d reports, want no more without news", len(h.reports))
		}
		h.worker.ResendAll()
		synctest.Wait()
		if len(h.reports) != 2 || len(h.reports[1]) != 1 {
			t.Errorf("reports %v, want all again for a new leader", h.reports)
		}
	})
}

// What the cluster knows of a host that was rebooted is from before, until the
// engine has answered and the report of that is in.
func TestBlindUntilItsReportIsIn(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		is := func(want bool, when string) {
			t.Helper()
			if got := h.worker.Blind(); got != want {
				t.Errorf("%s: blind is %v, want %v", when, got, want)
			}
		}
		is(true, "without a set")
		h.assign(assign("t1"))
		is(false, "at work")
		h.stop()
		h.engine.Reboot()
		h.engine.Fail(fake.OpList, fake.Fault{Err: runtime.ErrEngine})
		h.setRefusal(errors.New("no leader"))
		h.boot()
		h.pass(time.Minute)
		is(true, "the engine does not answer")
		h.engine.Heal(fake.OpList)
		h.pass(time.Minute)
		is(true, "nobody takes the report")
		h.setRefusal(nil)
		h.pass(lastRetry)
		is(false, "the report is in")
	})
}

// A one-shot that completed must not run again because nobody remembers it:
// neither its container nor a newer set is there when the agent comes back.
func TestCompletedTaskStaysCompleted(t *testing.T) {
	once := func(runtime.Create) fake.Behaviour { return fake.Behaviour{ExitAfter: time.Second} }
	inBubble(t, once, func(t *testing.T, h *host) {
		h.assign(assign("t1", restart(cluster.RestartPolicy{Condition: cluster.RestartNever})))
		h.pass(2 * time.Second)
		h.stop()
		h.engine.Delete(h.box("t1").ID)
		h.boot()
		h.pass(time.Minute)
		if o := h.expect("t1", cluster.PhaseExited); !o.Final || h.engine.Calls(fake.OpCreate) != 1 {
			t.Errorf("after the agent's restart: %+v and %d creates, want it over and one", o, h.engine.Calls(fake.OpCreate))
		}
	})
}

func TestUnusedNetworksGo(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		h.pass(2 * tidyEvery)
		if len(h.engine.Networks()) != 1 {
			t.Fatalf("networks %v, want the stack's", h.engine.Networks())
		}
		h.assign()
		h.pass(2 * tidyEvery)
		if len(h.engine.Networks()) != 0 {
			t.Errorf("networks %v, want none", h.engine.Networks())
		}
	})
}
