package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/fake"
)

// TestTaskMeter: two samples on the first look, one on each later one, and none
// when nobody looks.
func TestTaskMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := fake.New(fake.Config{Behave: func(runtime.Create) fake.Behaviour {
			return fake.Behaviour{MilliCPU: 250, Memory: 5 << 20}
		}})
		defer func() { _ = engine.Close() }()
		image := engine.AddImage("app:1")
		run := func(task string) {
			id, err := engine.Create(t.Context(), runtime.Create{
				Name:   "c-" + task,
				Labels: map[string]string{runtime.LabelCluster: "c", runtime.LabelTask: task},
				Spec:   cluster.ContainerSpec{Image: cluster.Image{Ref: "app:1", Digest: image}},
			})
			if err == nil {
				err = engine.Start(t.Context(), id)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		var m taskMeter
		look := func(want ...api.TaskUsage) {
			t.Helper()
			got, err := m.measure(t.Context(), engine, "c")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(append([]api.TaskUsage{}, want...), got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		}
		asked := func(want int) {
			t.Helper()
			if got := engine.Calls(fake.OpStats); got != want {
				t.Errorf("the engine was asked %d times, want %d", got, want)
			}
		}
		quarter := 0.25
		known := func(task string) api.TaskUsage {
			return api.TaskUsage{Task: task, CPUUsed: &quarter, MemoryUsed: 5 << 20}
		}

		look()
		run("t1")
		time.Sleep(2 * meterEvery)
		look(api.TaskUsage{Task: "t1", MemoryUsed: 5 << 20}) // seen once
		asked(1)
		look(api.TaskUsage{Task: "t1", MemoryUsed: 5 << 20}) // too soon: the last answer
		asked(1)
		time.Sleep(meterEvery)
		look(known("t1"))
		asked(2)
		time.Sleep(time.Hour)
		asked(2)
		look(known("t1"))
		asked(4) // nothing to go by: two samples
	})
}

func TestTaskMeterWithoutAnEngine(t *testing.T) {
	engine := fake.New(fake.Config{})
	engine.SetDown(true)
	var m taskMeter
	if got, err := m.measure(t.Context(), engine, "c"); err == nil {
		t.Errorf("measured %v of an engine that is down", got)
	}
}
