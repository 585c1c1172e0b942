//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

// figures are what was measured; the names are read by scripts. What was not
// staged is left out.
type figures struct {
	Requests int                `json:"requests"`
	Failed   map[string]int     `json:"failed"`
	Late     map[string]float64 `json:"late_pick_ms"`
	asked    map[string]int
	reasons  map[string][]string
}

func (f *figures) add(cause string, l *load) {
	if f.asked == nil {
		f.asked = map[string]int{}
	}
	f.Requests += l.asked
	f.asked[cause] += l.asked
	f.Failed[cause] += l.failed
	f.reasons[cause] = append(f.reasons[cause], l.reasons...)
}

func (f *figures) write(file string) error {
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	return nil
}

func (f *figures) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CAUSE\tREQUESTS\tFAILED")
	for _, name := range names() {
		if asked, staged := f.asked[name]; staged {
			fmt.Fprintf(w, "%s\t%d\t%d\n", name, asked, f.Failed[name])
		}
	}
	for what, ms := range f.Late {
		fmt.Fprintf(w, "last failed request was sent after the death of a %s (ms)\t\t%.0f\n", what, ms)
	}
	w.Flush()
	for _, name := range names() {
		for _, reason := range f.reasons[name] {
			fmt.Fprintf(out, "%s: %s\n", name, reason)
		}
	}
}
