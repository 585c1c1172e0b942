package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/integration/bench/placement/workload"
)

func TestWhichFigures(t *testing.T) {
	for only, want := range map[string]string{"": "ABCDEF", "D": "D", "F,A": "AF"} {
		got, err := (&settings{only: only}).wanted()
		if letters := strings.Join(slices.Sorted(maps.Keys(got)), ""); err != nil || letters != want {
			t.Errorf("-only %q: %q, %v, want %q", only, letters, err, want)
		}
	}
	for _, only := range []string{"G", "D,", "DE", "d"} {
		if _, err := (&settings{only: only}).wanted(); err == nil || !strings.Contains(err.Error(), "there are A,B,C,D,E,F") {
			t.Errorf("-only %q: %v", only, err)
		}
	}
}

func TestTimesAreMediansByTheirKeys(t *testing.T) {
	all := map[string]any{"A": 1}
	nameTimes(all, []figure{{"D.per_s", "", []float64{9, 1, 3}}, {"D.growth.10", "", []float64{2, 1}}, {"E.x", "", []float64{7}}})
	want := map[string]any{"A": 1, "D": map[string]any{"per_s": 3.0, "growth": map[string]any{"10": 1.5}}, "E": map[string]any{"x": 7.0}}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
}

// TestRingAssigns deploys on a small cluster of real voters.
func TestRingAssigns(t *testing.T) {
	r, err := newRing(t.Context(), workload.Nodes(30))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := r.assign(t.Context(), "stack", 10, 3); err != nil {
		t.Fatal(err)
	}
	if placed := r.placed("stack"); placed != 30 {
		t.Errorf("%d tasks have a node, want 30", placed)
	}
}
