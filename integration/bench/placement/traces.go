package main

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// traces are the recorded workloads that the experiments replay.
type traces struct {
	nodes []vector
	pods  []vector
	vms   []vm
	host  vector // what vms run on
}

// vm is a task of the churn trace.
type vm struct {
	need       vector
	start, end float64 // seconds; end is +Inf where the trace ends first
}

// errNoTraces is returned where the directory is absent.
var errNoTraces = errors.New("there are no traces")

func loadTraces(dir string) (*traces, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("%w in %s: TRACES=DIR names the directory that holds openb_nodes.csv, openb_pods.csv and azure_v1_1d.csv", errNoTraces, dir)
	}
	t := traces{host: newVector(64_000, 128<<10, 0)}
	err := errors.Join(
		eachRow(filepath.Join(dir, "openb_nodes.csv"), []string{"cpu_milli", "memory_mib", "gpu"}, func(v []float64) {
			t.nodes = append(t.nodes, newVector(int64(v[0]), int64(v[1]), int64(v[2])*device))
		}),
		eachRow(filepath.Join(dir, "openb_pods.csv"), []string{"cpu_milli", "memory_mib", "num_gpu", "gpu_milli"}, func(v []float64) {
			t.pods = append(t.pods, newVector(int64(v[0]), int64(v[1]), int64(v[2]*v[3])))
		}),
		eachRow(filepath.Join(dir, "azure_v1_1d.csv"), []string{"t_s", "vcpu", "mem_gb", "duration_s"}, func(v []float64) {
			t.vms = append(t.vms, vm{need: newVector(int64(v[1]*1000), int64(v[2]*1024), 0), start: v[0], end: v[0] + v[3]})
		}),
	)
	slices.SortStableFunc(t.vms, func(a, b vm) int { return cmp.Compare(a.start, b.start) })
	return &t, err
}

// eachRow calls f with the named columns of every row; an empty field is +Inf.
func eachRow(file string, columns []string, f func([]float64)) error {
	in, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read a trace: %w", err)
	}
	defer in.Close()
	rows, err := csv.NewReader(in).ReadAll()
	if err != nil {
		return fmt.Errorf("read the trace %s: %w", file, err)
	}
	if len(rows) == 0 {
		return fmt.Errorf("read the trace %s: it has no header", file)
	}
	index := make([]int, len(columns))
	for i, c := range columns {
		if index[i] = slices.Index(rows[0], c); index[i] < 0 {
			return fmt.Errorf("read the trace %s: it has no column %s", file, c)
		}
	}
	values := make([]float64, len(columns))
	for line, row := range rows[1:] {
		for i, at := range index {
			values[i] = math.Inf(1)
			if row[at] == "" {
				continue
			}
			if values[i], err = strconv.ParseFloat(row[at], 64); err != nil {
				return fmt.Errorf("read the trace %s, line %d, %s: %w", file, line+2, columns[i], err)
			}
		}
		f(values)
	}
	return nil
}
