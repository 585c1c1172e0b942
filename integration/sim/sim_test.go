package sim

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/integration/invariants"
)

func TestSeeds(t *testing.T) {
	n := 120
	if testing.Short() {
		n = 20
	}
	failed, sum := Seeds(Config{}, 1, n, nil)
	report(t, failed)
	t.Logf("%d seeds, %d steps, %d commits, %.0f s of virtual time", sum.Seeds, sum.Steps, sum.Commits, sum.VirtualSeconds)
}

// TestKeptSeeds runs the seeds that found a bug once.
func TestKeptSeeds(t *testing.T) {
	for _, seed := range keptSeeds(t) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			if r := Run(Config{Seed: seed}); r.Failure != nil {
				report(t, []Result{r})
			}
		})
	}
}

func keptSeeds(t *testing.T) []uint64 {
	t.Helper()
	f, err := os.Open("testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []uint64
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		word, _, _ := strings.Cut(lines.Text(), "#")
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		seed, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, seed)
	}
	return out
}

func report(t *testing.T, failed []Result) {
	t.Helper()
	for i, r := range failed {
		if i >= 3 {
			t.Errorf("seed %d: %v", r.Config.Seed, r.Failure.Violation)
			continue
		}
		var b strings.Builder
		r.Report(&b)
		t.Error(b.String())
	}
}

func TestLargeServiceHasTheTimeOfItsUpdate(t *testing.T) {
	w := newWorld(Config{Seed: 1})
	st := state.New()
	spec := cluster.ServiceSpec{Replicas: 123, Update: cluster.Update{Delay: 2 * time.Second}}
	for i, b := range []state.Body{
		state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1}, Node: newHost(w, 0).node()},
		state.PutStack{Stack: "s", Services: []state.NamedSpec{{Name: "web", Spec: spec}}},
	} {
		if r := st.Apply(uint64(i+1), state.Command{At: start, Body: b}); r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	w.raft.views = []state.View{st.View()}
	if got, want := w.updating(), 123*(seatWithin+2*time.Second); got != want {
		t.Errorf("it has %v, want %v", got, want)
	}
}

func TestSameSeedSameTrace(t *testing.T) {
	seeds := []uint64{1, 2, 3, 4, 5, 6}
	twice := make([]Result, 2*len(seeds))
	var runs sync.WaitGroup
	for i := range twice {
		runs.Go(func() { twice[i] = Run(Config{Seed: seeds[i/2]}) })
	}
	runs.Wait()
	for i := 0; i < len(twice); i += 2 {
		if a, b := twice[i], twice[i+1]; a.Hash != b.Hash || a.Steps != b.Steps {
			t.Errorf("seed %d: %d steps with trace %x, and again %d steps with %x", a.Config.Seed, a.Steps, a.Hash, b.Steps, b.Hash)
		}
		if i > 0 && twice[i].Hash == twice[i-2].Hash {
			t.Errorf("seeds %d and %d have the same trace", twice[i].Config.Seed, twice[i-2].Config.Seed)
		}
	}
}

// TestPlantedBugsAreCaught puts a bug into the leader's decisions: it must be
// caught within a few seeds, and by the rule that it breaks.
func TestPlantedBugsAreCaught(t *testing.T) {
	const seeds = 30
	for plant, rules := range map[Plant][]invariants.Rule{
		NoCapacity:   {invariants.Overcommit},
		NoRefill:     {invariants.NotRefilled, invariants.NotSettled},
		StopEarly:    {invariants.StoppedSoon},
		FalseVerdict: {invariants.FalseDown},
	} {
		t.Run(string(plant), func(t *testing.T) {
			failed, _ := Seeds(Config{Plant: plant}, 1, seeds, func(r Result) bool { return r.Failure != nil })
			if len(failed) == 0 {
				t.Fatalf("not caught within %d seeds", seeds)
			}
			if f := failed[0].Failure; !slices.Contains(rules, f.Rule) {
				t.Errorf("seed %d: caught as %v, want one of %v", failed[0].Config.Seed, f.Violation, rules)
			}
		})
	}
}

func BenchmarkSeeds(b *testing.B) {
	seed := uint64(0)
	for b.Loop() {
		seed++
		if r := Run(Config{Seed: seed}); r.Failure != nil {
			b.Fatal(r.Failure.Violation)
		}
	}
}
