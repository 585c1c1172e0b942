package main

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestPoliciesKeepCapacity fills small fleets with every policy.
func TestPoliciesKeepCapacity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, p := range append([]named{ours}, references...) {
			f := newFleet([]shape{{vector{32_000, 32_768}, 0}, {vector{64_000, 65_536, 4 * device}, 4}, {vector{16_000, 65_536, 2 * device}, 2}})
			policy := p.make(source(1, 1))
			for range rapid.IntRange(0, 40).Draw(t, "tasks") {
				d := drawDemand(t)
				place(t, p.name, f, policy, &d)
			}
		}
	})
}

func place(t *rapid.T, name string, f *fleet, p policy, d *demand) {
	n, at := p.choose(f, d)
	if n < 0 {
		for n := range f.free {
			if f.fits(n, d) {
				t.Fatalf("%s left out %+v, which fits node %d", name, d, n)
			}
		}
		return
	}
	f.put(n, d, at)
	if w, ok := p.(observer); ok {
		w.changed(f, n, d.need)
	}
	sum := 0.0
	for _, has := range f.devices[n] {
		if sum += has; has < 0 {
			t.Fatalf("%s gave a share that is not there: %v", name, f.devices[n])
		}
	}
	for k, left := range f.free[n] {
		if left < 0 || k == gpu && math.Abs(sum-left) > 1e-6 {
			t.Fatalf("%s left %v of %v, devices %v", name, f.free[n], f.total[n], f.devices[n])
		}
	}
}

// TestHybridCountsSlots compares what hybrid keeps count of with a fresh count,
// while tasks come and go.
func TestHybridCountsSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, h := newFleet([]shape{{vector{64_000, 65_536}, 0}, {vector{32_000, 131_072}, 0}}), &hybrid{}
		var on []int
		var have []demand
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if len(on) > 0 && rapid.Bool().Draw(t, "end") {
				last := len(on) - 1
				f.take(on[last], &have[last])
				h.changed(f, on[last], vector{-have[last].need[cpu], -have[last].need[memory]})
				on, have = on[:last], have[:last]
				continue
			}
			d := newDemand(rapid.Float64Range(100, 20_000).Draw(t, "cpu"), rapid.Float64Range(64, 30_000).Draw(t, "memory"), 0, 0)
			if n, _ := h.choose(f, &d); n >= 0 {
				f.put(n, &d, -1)
				h.changed(f, n, d.need)
				on, have = append(on, n), append(have, d)
			}
		}
		for i := range h.classes {
			c, slots := &h.classes[i], 0
			for n := range f.free {
				r := f.room(n)
				slots += r.slots(&c.demand)
			}
			if c.slots != slots {
				t.Fatalf("%d slots for %+v, want %d", c.slots, c.demand, slots)
			}
		}
	})
}

func TestSummaryIsBounded(t *testing.T) {
	var s demands
	often := newDemand(1, 1, 0, 0)
	s.see(&often)
	for i := range 3 * mostClasses {
		d := newDemand(float64(i+2), 1, 0, 0)
		s.see(&d)
		s.see(&often)
	}
	if len(s.classes) != mostClasses || len(s.index) != mostClasses {
		t.Errorf("%d classes, %d in the index, want %d", len(s.classes), len(s.index), mostClasses)
	}
	if i, fresh := s.see(&often); fresh || s.classes[i].tasks != 3*mostClasses+2 {
		t.Errorf("the most frequent class was forgotten")
	}
}

// trace is a small churn whose hosts can be emptied.
func trace() *churn {
	c := &churn{host: shape{total: vector{4000, 4096}}}
	rng := source(3, 3)
	for i := range 2000 {
		start := float64(i)
		end := start + 20 + 400*rng.ExpFloat64()
		c.tasks = append(c.tasks, vm{need: newDemand(float64(1+rng.IntN(3))*500, float64(1+rng.IntN(3))*512, 0, 0), start: start, end: end})
	}
	return c
}

func TestChurn(t *testing.T) {
	c := trace()
	still := c.run(&hybrid{}, 0)
	moved := c.run(&hybrid{}, 0.05)
	if still.Moves != 0 || moved.Moves == 0 || moved.Moves > 5 {
		t.Errorf("moves: %v without a budget, %v within 5 %%", still.Moves, moved.Moves)
	}
	if moved.Over < 0 || moved.Over >= still.Over {
		t.Errorf("%.2f %% above the bound with moves, %.2f %% without", moved.Over, still.Over)
	}
}

func TestVariantsKeepWhatFits(t *testing.T) {
	from := &traces{
		nodes: []shape{{vector{96_000, 393_216, 8000}, 8}, {vector{96_000, 786_432}, 0}},
		pods:  []demand{newDemand(90_000, 327_680, 8, device), newDemand(3152, 5600, 1, 810), newDemand(4000, 15_258, 0, 0)},
		vms:   []vm{{need: newDemand(1000, 1792, 0, 0), end: 900}},
		host:  shape{total: vector{64_000, 131_072}},
	}
	for _, v := range variants {
		to := v.change(from)
		if len(to.nodes) == 0 || len(to.pods) == 0 || len(to.vms) == 0 {
			t.Fatalf("%s: %d nodes, %d pods, %d arrivals", v.name, len(to.nodes), len(to.pods), len(to.vms))
		}
		f := newFleet(to.nodes)
		for _, d := range to.pods {
			if !f.fits(0, &d) && (len(to.nodes) == 1 || !f.fits(1, &d)) {
				t.Errorf("%s: no node takes %+v", v.name, d)
			}
		}
		if hosts := newFleet([]shape{to.host}); !hosts.fits(0, &to.vms[0].need) {
			t.Errorf("%s: no host takes %+v", v.name, to.vms[0].need)
		}
	}
}

func TestEqualSeedsGiveEqualRuns(t *testing.T) {
	q := &packing{nodes: []shape{{vector{64_000, 65_536, 4 * device}, 4}, {vector{32_000, 65_536}, 0}}, kind: cpu, load: 1.5}
	for i := range 20 {
		q.tasks = append(q.tasks, newDemand(float64(500+i*300), float64(100+i*250), i%2, 500))
	}
	e := experiments{a: q, b: q, c: trace()}
	a, b := measure(e, 2), measure(e, 2)
	if diff := cmp.Diff(a, b, cmp.AllowUnexported(figures{}, answers{})); diff != "" {
		t.Error(diff)
	}
}

func TestLoadTraces(t *testing.T) {
	if _, err := loadTraces(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, errNoTraces) {
		t.Errorf("an absent directory: %v", err)
	}
	dir := t.TempDir()
	for file, text := range map[string]string{
		"openb_nodes.csv": "sn,cpu_milli,memory_mib,gpu,model\nn,96000,393216,8,G2\n",
		"openb_pods.csv":  "name,cpu_milli,memory_mib,num_gpu,gpu_milli\np,3152,5600,1,810\n",
		"azure_v1_1d.csv": "t_s,vcpu,mem_gb,duration_s\n300,2,3.5,\n0,1,1.75,900\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := loadTraces(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := &traces{
		host:  shape{total: vector{64_000, 131_072}},
		nodes: []shape{{vector{96_000, 393_216, 8000}, 8}},
		pods:  []demand{{vector{3152, 5600, 810}, 1, 810}},
		vms: []vm{
			{demand{need: vector{1000, 1792}}, 0, 900},
			{demand{need: vector{2000, 3584}}, 300, math.Inf(1)},
		},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(traces{}, shape{}, demand{}, vm{})); diff != "" {
		t.Error(diff)
	}
	if err := os.WriteFile(filepath.Join(dir, "openb_pods.csv"), []byte("name,cpu_milli\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadTraces(dir); err == nil || !strings.Contains(err.Error(), "no column memory_mib") {
		t.Errorf("a column is missing: %v", err)
	}
}
