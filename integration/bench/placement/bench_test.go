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
			f := newFleet([]vector{newVector(32_000, 32_768, 0), newVector(64_000, 65_536, 4*device), newVector(16_000, 65_536, 2*device)})
			policy := p.make(source(1, 1))
			for range rapid.IntRange(0, 40).Draw(t, "tasks") {
				d := drawDemand(t)
				if p.name == ours.name {
					d[gpu] = 0 // where there are some, the engine is asked
				}
				place(t, p.name, f, policy, &d)
			}
		}
	})
}

func place(t *rapid.T, name string, f *fleet, p policy, d *vector) {
	n := p.choose(f, d)
	if n < 0 {
		for n := range f.rooms {
			if f.fits(n, d) {
				t.Fatalf("%s left out %+v, which fits node %d", name, d, n)
			}
		}
		return
	}
	f.put(n, d)
	if w, ok := p.(observer); ok {
		w.changed(f, n, *d)
	}
	sum := int64(0)
	for _, has := range f.rooms[n].GPUs {
		if sum += has; has < 0 {
			t.Fatalf("%s gave a share that is not there: %v", name, f.rooms[n].GPUs)
		}
	}
	for k, left := range f.rooms[n].Free {
		if left < 0 || k == gpu && sum != left {
			t.Fatalf("%s left %+v of %v", name, f.rooms[n], f.total[n])
		}
	}
}

func drawDemand(t *rapid.T) vector {
	return newVector(
		rapid.Int64Range(100, 20_000).Draw(t, "cpu"), rapid.Int64Range(64, 30_000).Draw(t, "memory"),
		rapid.SampledFrom([]int64{0, 250, 400, device, 2 * device}).Draw(t, "gpu"),
	)
}

// TestEngineFills has the engine place more tasks than there is room for.
func TestEngineFills(t *testing.T) {
	q := &filling{nodes: []vector{newVector(4000, 4096, device), newVector(4000, 4096, 0)}, kind: cpu, load: 2}
	whole, share, small := newVector(2000, 2048, device), newVector(1000, 1024, 500), newVector(1000, 1024, 0)
	got, err := q.place([]*vector{&small, &whole, &share, &small, &small, &small, &share, &small, &small}, 1)
	if err != nil {
		t.Fatal(err)
	}
	// The device is whole's; both who want a share of it are dropped.
	if want := (packed{Tasks: 2, Before: 100 * 3.0 / 8, End: 100}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// trace is a small churn whose hosts can be emptied.
func trace() *churn {
	c := &churn{host: newVector(4000, 4096, 0)}
	rng := source(3, 3)
	for i := range 2000 {
		start := float64(i)
		end := start + 20 + 400*rng.ExpFloat64()
		c.tasks = append(c.tasks, vm{need: newVector(int64(1+rng.IntN(3))*500, int64(1+rng.IntN(3))*512, 0), start: start, end: end})
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
		nodes: []vector{newVector(96_000, 393_216, 8*device), newVector(96_000, 786_432, 0)},
		pods:  []vector{newVector(90_000, 327_680, 8*device), newVector(3152, 5600, 810), newVector(4000, 15_258, 0)},
		vms:   []vm{{need: newVector(1000, 1792, 0), end: 900}},
		host:  newVector(64_000, 131_072, 0),
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
		if hosts := newFleet([]vector{to.host}); !hosts.fits(0, &to.vms[0].need) {
			t.Errorf("%s: no host takes %+v", v.name, to.vms[0].need)
		}
	}
}

func TestEqualSeedsGiveEqualRuns(t *testing.T) {
	q := &filling{nodes: []vector{newVector(64_000, 65_536, 4*device), newVector(32_000, 65_536, 0)}, kind: cpu, load: 1.5}
	for i := range 20 {
		q.tasks = append(q.tasks, newVector(int64(500+i*300), int64(100+i*250), int64(i%2)*500))
	}
	e := experiments{a: q, b: q, c: trace()}
	a, err := measure(e, 2)
	if err != nil {
		t.Fatal(err)
	}
	b, err := measure(e, 2)
	if err != nil {
		t.Fatal(err)
	}
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
		host:  newVector(64_000, 131_072, 0),
		nodes: []vector{newVector(96_000, 393_216, 8*device)},
		pods:  []vector{newVector(3152, 5600, 810)},
		vms: []vm{
			{newVector(1000, 1792, 0), 0, 900},
			{newVector(2000, 3584, 0), 300, math.Inf(1)},
		},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(traces{}, vm{})); diff != "" {
		t.Error(diff)
	}
	if err := os.WriteFile(filepath.Join(dir, "openb_pods.csv"), []byte("name,cpu_milli\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadTraces(dir); err == nil || !strings.Contains(err.Error(), "no column memory_mib") {
		t.Errorf("a column is missing: %v", err)
	}
}
