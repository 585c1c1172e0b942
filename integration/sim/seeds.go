package sim

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// gcPercent lets the small heaps of worlds grow more between collections.
const gcPercent = 800

// Seeds runs n seeds from the given one on all cores, each in a world of its
// own, and returns the results of those that failed, in the order of the seeds,
// and the sum of all. It stops early once stop says so of a result.
func Seeds(cfg Config, from uint64, n int, stop func(Result) bool) (failed []Result, sum Sum) {
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	results := make([]Result, n)
	var next atomic.Int64
	var stopped atomic.Bool
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		workers.Go(func() {
			for !stopped.Load() {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				c := cfg
				c.Seed = from + uint64(i)
				results[i] = Run(c)
				if stop != nil && stop(results[i]) {
					stopped.Store(true)
				}
			}
		})
	}
	workers.Wait()
	for _, r := range results {
		if r.Steps > 0 {
			sum.add(r)
		}
		if r.Failure != nil {
			failed = append(failed, r)
		}
	}
	return failed, sum
}

// Sum is what several runs did together.
type Sum struct {
	Seeds, Steps, Commits int
	VirtualSeconds        float64
}

func (s *Sum) add(r Result) {
	s.Seeds++
	s.Steps += r.Steps
	s.Commits += r.Commits
	s.VirtualSeconds += r.Virtual.Seconds()
}

// Report writes a failure with its last steps and how to run it again.
func (r Result) Report(out io.Writer) {
	f := r.Failure
	for _, s := range slices.Concat(f.Steps, f.State) {
		fmt.Fprintln(out, s)
	}
	fmt.Fprintf(out, "seed %d broke an invariant after %v: %v\nrun it again with: make sim SEED=%d%s\n", r.Config.Seed, f.At, f.Violation, r.Config.Seed, r.Config.flags())
}

// flags are what the command needs besides the seed.
func (c Config) flags() string {
	var flags []string
	if c.Nodes != 0 {
		flags = append(flags, fmt.Sprintf("-nodes %d", c.Nodes))
	}
	if c.Duration != 0 {
		flags = append(flags, fmt.Sprintf("-duration %v", c.Duration))
	}
	if c.Plant != "" {
		flags = append(flags, "-plant "+string(c.Plant))
	}
	if len(flags) == 0 {
		return ""
	}
	return " SIM='" + strings.Join(flags, " ") + "'"
}
