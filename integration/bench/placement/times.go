package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// figure is one that was measured several times; its median counts.
type figure struct {
	key  string // as in "D.grouped_per_s"
	text string // for people
	runs []float64
}

func (f *figure) median() float64 {
	sorted := slices.Sorted(slices.Values(f.runs))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func printTimes(out io.Writer, times []figure) {
	if len(times) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FIGURE\tWHAT\tMEDIAN\tRUNS")
	for _, f := range times {
		fmt.Fprintf(w, "%s\t%s\t%s\t", f.key, f.text, short(f.median()))
		for _, r := range f.runs {
			fmt.Fprintf(w, "%s ", short(r))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}

// short is a number with three digits or all before the point.
func short(x float64) string {
	if x >= 100 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// nameTimes enters the medians by their keys; each dot is a level.
func nameTimes(all map[string]any, times []figure) {
	for _, f := range times {
		at, path := all, strings.Split(f.key, ".")
		for _, step := range path[:len(path)-1] {
			inner, ok := at[step].(map[string]any)
			if !ok {
				inner = map[string]any{}
				at[step] = inner
			}
			at = inner
		}
		at[path[len(path)-1]] = f.median()
	}
}

func write(file string, all map[string]any) error {
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	return nil
}
