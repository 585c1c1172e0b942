package sim

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Seeds runs n seeds from the given one on all cores, each in a world of its
// own, and returns the results of those that failed, in the order of the seeds,
// and the sum of all. It stops early once stop says so of a result.
func Seeds(cfg Config, from uint64, n int, stop func(Result) bool) (failed []Result, sum Sum) {
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
	fmt.Fprintf(out, "seed %d broke an invariant after %v: %v\nrun it again with: make sim SEED=%d\n", r.Seed, f.At, f.Violation, r.Seed)
}
