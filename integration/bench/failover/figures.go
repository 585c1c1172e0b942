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
	Follower, Leader deaths
	Deploy           map[string]float64
	DockerFloor      map[string]float64
	AgentRSS         *float64
	AgentCPU         *float64
	FalseDown        *int
	Moved            *int
	AgentKill        []float64
	HungDisk         []float64
}

func (f *figures) write(file string) error {
	all := map[string]any{}
	for name, d := range map[string]deaths{"follower": f.Follower, "leader": f.Leader} {
		if len(d.running) > 0 {
			all[name+"_s"], all[name+"_answers_s"] = d.running, d.answers
			all[name+"_failed"], all[name+"_slowest_s"] = d.failed, d.slowest
		}
	}
	if f.Deploy != nil {
		all["deploy_s"], all["docker_floor_s"] = f.Deploy, f.DockerFloor
	}
	if f.AgentRSS != nil {
		all["agent_rss_mb"], all["agent_cpu_pct"] = *f.AgentRSS, *f.AgentCPU
	}
	if f.FalseDown != nil {
		all["false_down"], all["moved_while_alive"] = *f.FalseDown, *f.Moved
	}
	for name, runs := range map[string][]float64{"agent_kill_write_s": f.AgentKill, "hung_disk_write_s": f.HungDisk} {
		if len(runs) > 0 {
			all[name] = runs
		}
	}
	b, err := json.MarshalIndent(all, "", "  ")
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
		{"follower's host dies, all run (s)", f.Follower.running},
		{"  last request fails (s)", f.Follower.answers},
		{"  slowest request (s)", f.Follower.slowest},
		{"leader's host dies, all run (s)", f.Leader.running},
		{"  last request fails (s)", f.Leader.answers},
		{"  slowest request (s)", f.Leader.slowest},
		{"leader's agent is killed, next write (s)", f.AgentKill},
		{"leader's disk hangs, next write (s)", f.HungDisk},
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
