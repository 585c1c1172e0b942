//go:build linux

package chaos

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// Report is what a run did and found.
type Report struct {
	Seed       uint64
	Classes    []string       // that were to be staged
	Faults     map[string]int // by class
	Operations int            // of users, that were held against the model
	Unknown    int            // of these, whose outcome was not told
	Judged     bool           // whether the model had an answer in time
	Checks     int            // looks of the observer
	Slowest    time.Duration  // from the end of a fault until all was as desired
	Broken     []string       // invariants
	Last       []string       // answers that users got
}

func newReport(cfg Config) Report {
	r := Report{Seed: cfg.Seed, Faults: map[string]int{}}
	for _, class := range cfg.Classes {
		if !slices.Contains(r.Classes, class) {
			r.Classes = append(r.Classes, class)
		}
	}
	return r
}

// Print writes the summary of a run.
func (r Report) Print(w io.Writer) {
	staged := 0
	for _, class := range r.Classes {
		if n := r.Faults[class]; n > 0 {
			fmt.Fprintf(w, "%4d  %s\n", n, class)
			staged += n
		}
	}
	for _, class := range r.never() {
		fmt.Fprintf(w, "never  %s\n", class)
	}
	judged := "which porcupine checked"
	if !r.Judged {
		judged = "which porcupine could not check in time"
	}
	fmt.Fprintf(w, "seed %d: %d faults staged, of %d classes out of %d\n", r.Seed, staged, len(r.Faults), len(r.Classes))
	fmt.Fprintf(w, "%d operations of users (%d with an unknown outcome), %s\n", r.Operations, r.Unknown, judged)
	fmt.Fprintf(w, "%d looks; at most %.1f s from the end of a fault until all was as desired\n", r.Checks, r.Slowest.Seconds())
	fmt.Fprintf(w, "%d invariants broken\n", len(r.Broken))
}

// never are the classes that were not staged.
func (r Report) never() []string {
	return slices.DeleteFunc(slices.Clone(r.Classes), func(class string) bool { return r.Faults[class] > 0 })
}
