package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/hoststats"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/configs"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/fake"
)

type oneCore struct{}

func (oneCore) Capacity(context.Context) (milliCPU, memBytes int64, err error) {
	return 1000, 1 << 30, nil
}

func (oneCore) Sample(context.Context) (hoststats.Usage, error) { return hoststats.Usage{}, nil }

// onEngine is as much of a member as watching an engine takes.
func onEngine(e *fake.Driver) *member {
	m := &member{a: &Agent{cfg: configs.Default(), nodeID: "N1", name: "n1", host: Host{Engine: e, Stats: oneCore{}}}, address: "10.0.0.1"}
	m.engine.changed = make(chan struct{}, 1)
	return m
}

// An engine that hangs is told of within ten seconds of its last answer, and
// again as soon as it answers.
func TestWatchEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := fake.New(fake.Config{})
		m := onEngine(e)
		ctx, cancel := context.WithCancel(t.Context())
		var job sync.WaitGroup
		job.Go(func() { m.watchEngine(ctx) })
		defer job.Wait()
		defer cancel()
		synctest.Wait()
		if failure, watched := m.engine.verdict(); failure != "" || !watched {
			t.Fatalf("verdict %q, %v, want a good one", failure, watched)
		}

		<-m.engine.changed
		e.Fail(fake.OpPing, fake.Fault{Delay: 2 * time.Second, Err: fmt.Errorf("ping: %w: %w", runtime.ErrEngine, context.DeadlineExceeded)})
		begun := time.Now()
		<-m.engine.changed
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("noticed after %v", took)
		}
		if failure, _ := m.engine.verdict(); failure != "does not answer in time" {
			t.Errorf("verdict %q", failure)
		}

		e.Heal(fake.OpPing)
		begun = time.Now()
		<-m.engine.changed
		if failure, _ := m.engine.verdict(); failure != "" || time.Since(begun) > 3*time.Second {
			t.Errorf("verdict %q after %v", failure, time.Since(begun))
		}
	})
}

// What an engine said of itself holds while it fails: the node does not lose
// its platform, and nobody waits for an answer.
func TestDescribeWithoutTheEngine(t *testing.T) {
	e := fake.New(fake.Config{})
	m := onEngine(e)
	m.engine.set("")
	told, err := m.describe(t.Context(), cluster.Node{})
	if err != nil || told.OS == "" || told.EngineError != "" {
		t.Fatalf("%+v, %v", told, err)
	}

	e.SetDown(true)
	if n, err := m.describe(t.Context(), told); err == nil {
		t.Errorf("one failed call makes the node %+v, want an error to try again after", n)
	}
	m.engine.set("does not answer in time")
	before := e.Calls(fake.OpInfo)
	n, err := m.describe(t.Context(), told)
	want := told
	want.EngineError = "does not answer in time"
	if diff := cmp.Diff(want, n); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if e.Calls(fake.OpInfo) != before {
		t.Error("an engine that fails was asked about itself")
	}
}

func TestEngineFailure(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("ping the engine: %w: %w", runtime.ErrEngine, context.DeadlineExceeded), "does not answer in time"},
		{fmt.Errorf("ping the engine: %w: %w", runtime.ErrEngine, errors.New("no such file")), "does not answer: no such file"},
		{errors.New("denied"), "does not answer: denied"},
	} {
		if got := engineFailure(c.err); got != c.want {
			t.Errorf("engineFailure(%v) = %q, want %q", c.err, got, c.want)
		}
	}
}
