//go:build linux

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

// figures are what was measured; the names are read by scripts. What was not
// measured is left out.
type figures struct {
	Follower        []float64          `json:"follower_s,omitempty"`
	FollowerAnswers []float64          `json:"follower_answers_s,omitempty"`
	Leader          []float64          `json:"leader_s,omitempty"`
	LeaderAnswers   []float64          `json:"leader_answers_s,omitempty"`
	Deploy          map[string]float64 `json:"deploy_s,omitempty"`
	DockerFloor     map[string]float64 `json:"docker_floor_s,omitempty"`
	AgentRSS        *float64           `json:"agent_rss_mb,omitempty"`
	AgentCPU        *float64           `json:"agent_cpu_pct,omitempty"`
	FalseDown       *int               `json:"false_down,omitempty"`
	Moved           *int               `json:"moved_while_alive,omitempty"`
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

// print writes a table: every run, and the median where there are several.
func (f *figures) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FIGURE\tMEDIAN\tRUNS")
	for _, row := range []struct {
		name string
		runs []float64
	}{
		{"follower's host dies, all run (s)", f.Follower},
		{"follower's host dies, all answer (s)", f.FollowerAnswers},
		{"leader's host dies, all run (s)", f.Leader},
		{"leader's host dies, all answer (s)", f.LeaderAnswers},
	} {
		if len(row.runs) > 0 {
			fmt.Fprintf(w, "%s\t%.2f\t%s\n", row.name, median(row.runs), list(row.runs))
		}
	}
	for _, n := range sizes {
		if s, ok := f.Deploy[strconv.Itoa(n)]; ok {
			floor := f.DockerFloor[strconv.Itoa(n)]
			fmt.Fprintf(w, "deploy of %d (s)\t%.2f\tbare engines %.2f, ratio %.2f\n", n, s, floor, s/floor)
		}
	}
	if f.AgentRSS != nil {
		fmt.Fprintf(w, "agent at rest, memory (MB)\t%.1f\tlargest\n", *f.AgentRSS)
		fmt.Fprintf(w, "agent at rest, %% of a core\t%.2f\tlargest\n", *f.AgentCPU)
	}
	if f.FalseDown != nil {
		fmt.Fprintf(w, "busy: nodes taken for down\t%d\t\n", *f.FalseDown)
		fmt.Fprintf(w, "busy: containers replaced\t%d\t\n", *f.Moved)
	}
	w.Flush()
}

func list(runs []float64) string {
	var texts []string
	for _, r := range runs {
		texts = append(texts, fmt.Sprintf("%.2f", r))
	}
	return strings.Join(texts, " ")
}

func median(runs []float64) float64 {
	sorted := slices.Sorted(slices.Values(runs))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
