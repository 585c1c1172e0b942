// Command sim runs the simulator over many seeds, or one.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/musterhq/muster/integration/sim"
)

func main() { os.Exit(run()) }

func run() int {
	n := flag.Int("seeds", 1000, "how many seeds to run")
	from := flag.Uint64("from", 1, "the first seed")
	seed := flag.Uint64("seed", 0, "run this seed only")
	verbose := flag.Bool("v", false, "write every step of a single seed")
	duration := flag.Duration("duration", 0, "virtual time of faults and changes (0: the seed chooses)")
	nodes := flag.Int("nodes", 0, "hosts (0: the seed chooses)")
	first := flag.Bool("first", false, "stop at the first seed that fails")
	plant := flag.String("plant", "", fmt.Sprintf("plant a bug, one of %v", sim.Plants))
	flag.Parse()
	spendMemory()

	cfg := sim.Config{Nodes: *nodes, Duration: *duration, Plant: sim.Plant(*plant)}
	if *seed != 0 {
		cfg.Seed = *seed
		if *verbose {
			cfg.Trace = os.Stdout
		}
		r := sim.Run(cfg)
		fmt.Printf("seed %d: %d steps, %d commits, %v of virtual time, trace %016x\n", r.Config.Seed, r.Steps, r.Commits, r.Virtual, r.Hash)
		return report([]sim.Result{r})
	}
	begun := time.Now()
	stop := func(r sim.Result) bool { return *first && r.Failure != nil }
	failed, sum := sim.Seeds(cfg, *from, *n, stop)
	took := time.Since(begun).Seconds()
	fmt.Printf("%d seeds from %d in %.1f s (%.0f a second): %.0f hours of virtual time, %d steps, %d commits, %d failed\n",
		sum.Seeds, *from, took, float64(sum.Seeds)/took, sum.VirtualSeconds/3600, sum.Steps, sum.Commits, len(failed))
	return report(failed)
}

// spendMemory collects garbage less often than programs that must share the machine,
// unless GOGC says how often.
func spendMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(3 << 30)
	}
}

// report writes the first failures in full and names the others.
func report(failed []sim.Result) int {
	const inFull = 3
	seen := 0
	for _, r := range failed {
		if r.Failure == nil {
			continue
		}
		if seen++; seen <= inFull {
			r.Report(os.Stderr)
			continue
		}
		fmt.Fprintf(os.Stderr, "seed %d: %v\n", r.Config.Seed, r.Failure.Violation)
	}
	if seen > 0 {
		return 1
	}
	return 0
}
