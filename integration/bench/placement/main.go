package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
)

func rng(seed, s uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, s)) }

func main() {
	dir := flag.String("traces", "../shared/traces", "")
	exp := flag.String("x", "A", "")
	only := flag.String("p", "", "")
	seeds := flag.Int("n", 5, "")
	flag.Float64Var(&tA, "ta", tA, "")
	flag.Float64Var(&tB, "tb", tB, "")
	flag.Float64Var(&devs, "z", devs, "")
	flag.IntVar(&imb, "imb", 0, "")
	flag.Parse()
	t, err := loadTraces(*dir)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if *exp == "C" {
		runC(t, *only)
		return
	}
	nodes, pods, kind := t.nodes, t.pods, cpu
	if *exp == "B" {
		nodes, kind = nil, gpu
		for _, n := range t.nodes {
			if n.devices > 0 {
				nodes = append(nodes, n)
			}
		}
	}
	if *exp == "A" {
		pods = nil
		for _, p := range t.pods {
			pods = append(pods, newDemand(p.need[cpu], p.need[memory], 0, 0))
		}
	}
	ps := []struct {
		name string
		mk   func(seed uint64) policy
	}{
		{"k8s default", func(s uint64) policy { return scorer{leastAllocated, rng(s, 9)} }},
		{"k8s most", func(s uint64) policy { return scorer{mostAllocated, rng(s, 9)} }},
		{"spread", func(s uint64) policy { return scorer{fewestTasks, rng(s, 9)} }},
		{"nomad", func(s uint64) policy { return scorer{nomadBinpack, nil} }},
		{"nomad log", func(s uint64) policy { return sampler{nomadBinpack, rng(s, 9)} }},
		{"first", func(s uint64) policy { return scorer{anyNode, nil} }},
		{"fgd", func(s uint64) policy { return &hybrid{fgd: true} }},
		{"hybrid", func(s uint64) policy { return &hybrid{} }},
		{"random", func(s uint64) policy { return scorer{anyNode, rng(s, 9)} }},
	}
	for _, p := range ps {
		if *only != "" && !strings.Contains(p.name, *only) {
			continue
		}
		out := make([]packed, *seeds)
		var wg sync.WaitGroup
		for s := range uint64(*seeds) {
			wg.Go(func() { out[s] = pack(newFleet(nodes), pods, kind, 1.3, p.mk(s), rng(s, 1)) })
		}
		wg.Wait()
		var m packed
		for _, o := range out {
			m.tasks += o.tasks
			m.before += o.before * 100 / float64(*seeds)
			m.end += o.end * 100 / float64(*seeds)
		}
		fmt.Printf("%-30s %7d %6.2f %6.2f\n", p.name, m.tasks / *seeds, m.before, m.end)
	}
}
