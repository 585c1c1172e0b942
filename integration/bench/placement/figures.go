package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"text/tabwriter"
)

// figures are what was measured.
type figures struct {
	ours       answers
	references []answers
}

func (f *figures) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "policy\tA tasks\tA before first failure %\tA saturated %\tB before %\tB GPU %\tC hosts over %\tmoves % a day\t")
	for _, a := range append([]answers{f.ours}, f.references...) {
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\t\n", a.policy, a.a.Tasks, a.a.Before, a.a.End, a.b.Before, a.b.End, a.online.Over)
	}
	m := f.ours.moved
	fmt.Fprintf(w, "%s, with moves\t\t\t\t\t\t%.2f\t%.2f\t\n", f.ours.policy, m.Over, m.Moves)
	w.Flush()
	gpu, over := f.best()
	fmt.Fprintf(out, "B: %+.2f points against the best reference. C: %.2f of the best reference's excess, %.2f with moves.\n",
		f.ours.b.End-gpu, f.ours.online.Over/over, m.Over/over)
}

// best is the best that a reference reached in B and in C.
func (f *figures) best() (gpu, over float64) {
	over = math.Inf(1)
	for _, r := range f.references {
		gpu, over = max(gpu, r.b.End), min(over, r.online.Over)
	}
	return gpu, over
}

// name enters the figures; the names are read by scripts.
func (f *figures) name(all map[string]any) {
	maps.Copy(all, f.ours.named())
	c := all["C"].(map[string]float64)
	c["moves_over_pct"], c["moves_per_day_pct"] = f.ours.moved.Over, f.ours.moved.Moves
	references := make(map[string]any)
	for _, r := range f.references {
		references[r.policy] = r.named()
	}
	all["reference"] = references
}

func (a *answers) named() map[string]any {
	return map[string]any{
		"A": map[string]float64{"before_first_failure_pct": a.a.Before, "saturated_pct": a.a.End},
		"B": map[string]float64{"gpu_pct": a.b.End},
		"C": map[string]float64{"online_over_pct": a.online.Over},
	}
}
