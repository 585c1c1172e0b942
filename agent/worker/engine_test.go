package worker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/fake"
)

func TestHungStartsHoldNobodyUp(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.engine.Fail(fake.OpStart, fake.Fault{Hang: true, Times: 2})
		h.assign(assign("t1"), assign("t2"), assign("t3"))
		h.pass(DefaultLimits.Slow)
		h.expect("t3", cluster.PhaseRunning)
		h.pass(5 * time.Minute)
		h.expect("t1", cluster.PhaseRunning)
		h.expect("t2", cluster.PhaseRunning)
	})
}

func TestLostEventsAreMadeUpFor(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		h.engine.LoseEvents(true)
		h.engine.Kill(h.box("t1").ID, 9)
		h.pass(resyncEvery)
		if o := h.observed("t1"); o.Restarts != 1 {
			t.Errorf("after a resync: %+v, want it restarted", o)
		}
	})
}

func TestBrokenEventsAreFollowedAgain(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		h.engine.BreakEvents()
		synctest.Wait()
		h.engine.Kill(h.box("t1").ID, 9)
		h.pass(followAgain)
		if o := h.observed("t1"); o.Restarts != 1 {
			t.Errorf("what happened before events are followed again: %+v, want it seen", o)
		}
		h.pass(time.Minute)
		h.engine.Kill(h.box("t1").ID, 10)
		synctest.Wait()
		if o := h.expect("t1", cluster.PhaseBackoff); o.ExitCode != 10 {
			t.Errorf("what happened after it: %+v, want it seen at once", o)
		}
	})
}

func TestHungEngine(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		h.engine.Fail(fake.OpList, fake.Fault{Hang: true})
		h.pass(resyncEvery + lookDeadline)
		if s := h.worker.Snapshot(); s.EngineUp || s.EngineError == "" {
			t.Errorf("snapshot %+v, want the engine down", s)
		}
		reports := len(h.reports)
		h.assign(assign("t2")) // which would make t1 a stray
		h.pass(5 * time.Minute)
		if got := h.engine.Calls(fake.OpCreate); got != 1 {
			t.Errorf("%d creates on a hung engine, want none after the first", got-1)
		}
		if c := h.box("t1"); c.Status != runtime.StatusRunning {
			t.Errorf("the container is %s", c.Status)
		}
		if len(h.reports) != reports {
			t.Errorf("reported from a hung engine: %v", h.reports[reports:])
		}
		h.engine.Heal(fake.OpList)
		h.pass(lookDeadline + resyncDown)
		h.expect("t2", cluster.PhaseRunning)
	})
}

func TestDownEngine(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		h.engine.SetDown(true)
		h.pass(time.Minute)
		h.expect("t1", cluster.PhaseRunning)
		h.engine.SetDown(false)
		h.pass(resyncDown)
		if s := h.worker.Snapshot(); !s.EngineUp || s.EngineError != "" {
			t.Errorf("snapshot %+v, want the engine up", s)
		}
		if h.expect("t1", cluster.PhaseRunning).Restarts != 0 {
			t.Error("a restart of the engine alone restarted a container")
		}
	})
}

func TestSlowPullHoldsNobodyUp(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		fetches := 0
		h.fetch = func(ctx context.Context, d string) error {
			fetches++
			time.Sleep(30 * time.Second)
			h.engine.AddImage(d)
			return nil
		}
		big := func(a *Assignment) { a.Template.Container.Image.Digest = "big@sha256:2" }
		h.assign(assign("t1", big), assign("t2", big), assign("t3"))
		h.expect("t1", cluster.PhasePulling)
		h.expect("t3", cluster.PhaseRunning)
		h.pass(31 * time.Second)
		h.expect("t1", cluster.PhaseRunning)
		h.expect("t2", cluster.PhaseRunning)
		if fetches != 1 {
			t.Errorf("%d fetches of one image, want 1", fetches)
		}
	})
}

func TestFailedPullIsTriedAgain(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		tries := 0
		h.fetch = func(_ context.Context, d string) error {
			if tries++; tries < 4 {
				return errors.New("no route to the registry")
			}
			h.engine.AddImage(d)
			return nil
		}
		h.assign(assign("t1", func(a *Assignment) { a.Template.Container.Image.Digest = "big@sha256:2" }))
		if o := h.expect("t1", cluster.PhasePulling); o.Error != "no route to the registry" {
			t.Errorf("observed %+v", o)
		}
		h.pass(time.Minute)
		h.expect("t1", cluster.PhaseRunning)
	})
}

func TestStartThatFailedAndSucceeded(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.engine.Fail(fake.OpStart, fake.Fault{Err: errors.New("internal server error"), After: true, Times: 1})
		h.assign(assign("t1", restart(cluster.RestartPolicy{Condition: cluster.RestartNever})))
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 0 {
			t.Errorf("observed %+v, want no restart", o)
		}
	})
}

func TestCreateThatFailedAndSucceeded(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.engine.Fail(fake.OpCreate, fake.Fault{Err: fmt.Errorf("%w: timeout", runtime.ErrEngine), After: true, Times: 1})
		h.assign(assign("t1"))
		h.pass(2 * time.Second)
		h.expect("t1", cluster.PhaseRunning)
		h.box("t1")
	})
}

func TestNameConflicts(t *testing.T) {
	a := assign("t1")
	for name, tc := range map[string]struct {
		labels map[string]string
		want   cluster.Phase
	}{
		"our own container is taken over": {map[string]string{runtime.LabelCluster: "c1", runtime.LabelTask: "t1"}, cluster.PhaseRunning},
		"another cluster's is left":       {map[string]string{runtime.LabelCluster: "c2"}, cluster.PhaseBackoff},
		"a stray makes room":              {map[string]string{runtime.LabelCluster: "c1", runtime.LabelTask: "t9"}, cluster.PhaseRunning},
		"another task's is left":          {map[string]string{runtime.LabelCluster: "c1", runtime.LabelTask: "t2"}, cluster.PhaseBackoff},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, h *host) {
				_, err := h.engine.Create(t.Context(), runtime.Create{
					Name: ContainerName(&a), Labels: tc.labels, Spec: cluster.ContainerSpec{Image: cluster.Image{Digest: digest}},
				})
				if err != nil {
					t.Fatal(err)
				}
				h.assign(a, assign("t2"))
				o := h.expect("t1", tc.want)
				if tc.want == cluster.PhaseBackoff && o.Error == "" {
					t.Error("no error is reported")
				}
			})
		})
	}
}

func TestBusyPort(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		other, err := h.engine.Create(t.Context(), runtime.Create{
			Name: "other", Spec: cluster.ContainerSpec{Image: cluster.Image{Digest: digest}},
			Publish: []runtime.Publish{{Target: 80, Host: 80, Protocol: "tcp"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.engine.Start(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		h.assign(assign("t1", func(a *Assignment) {
			a.Template.Restart.MaxAttempts = 3 // a busy port is not the container's fault
			a.Template.Ports = []cluster.Port{{Target: 80, Published: 80, Protocol: "tcp", Mode: cluster.HostPort}}
		}))
		h.pass(5 * time.Minute)
		if o := h.observed("t1"); o.Error == "" || o.Final {
			t.Errorf("observed %+v, want the busy port named and no end", o)
		}
		h.engine.Delete(other)
		h.pass(maxTransientDelay)
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 0 {
			t.Errorf("observed %+v, want no restart: it never ran before", o)
		}
	})
}

func TestRemovedFromOutside(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		first := h.box("t1").ID
		h.engine.Delete(first)
		h.pass(time.Second)
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 1 || o.ContainerID == first {
			t.Errorf("observed %+v, want one restart in another container", o)
		}
	})
}

func TestStoppedFromOutside(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assign(assign("t1"))
		id := h.box("t1").ID
		if err := h.engine.Stop(t.Context(), id, time.Second); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
		if o := h.expect("t1", cluster.PhaseRunning); o.Restarts != 1 || o.ContainerID != id {
			t.Errorf("observed %+v, want one restart in place", o)
		}
	})
}
