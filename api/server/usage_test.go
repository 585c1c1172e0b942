package server

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
)

// meteredNode runs one task, or cannot say.
type meteredNode struct {
	quietNode
	task string
	err  error
}

func (m meteredNode) TaskUsage(context.Context) ([]api.TaskUsage, error) {
	cpu := 0.5
	return []api.TaskUsage{{Task: m.task, CPUUsed: &cpu, MemoryUsed: 7}}, m.err
}

func TestUsageIsAskedOfAllNodes(t *testing.T) {
	r := newRing(t, nil, "a", "b", "w", "x")
	for _, h := range r.hosts {
		m := meteredNode{task: "t-" + h.name}
		if h.name == "b" {
			m.err = errors.New("the engine does not answer")
		}
		h.backend.Local = m
	}
	r.host("x").stop()
	cpu := 0.5
	want := []api.TaskUsage{
		{Task: "t-a", Node: "a", CPUUsed: &cpu, MemoryUsed: 7},
		{Task: "t-w", Node: "w", CPUUsed: &cpu, MemoryUsed: 7},
	}
	for _, asked := range []string{"a", "b", "w"} {
		got, err := r.host(asked).client.TaskUsage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", asked, d)
		}
	}
}
