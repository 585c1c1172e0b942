package main

import (
	"fmt"
	"strings"
	"sync"
)

func runC(t *traces, only string) {
	sh := shape{total: vector{64000, 128 * 1024, 0}}
	cs := []struct {
		name string
		mk   func() chooser
	}{
		{"k8s default", func() chooser { return plain{scorer{(leastAllocated), rng(0, 9)}} }},
		{"k8s most", func() chooser { return plain{scorer{(mostAllocated), rng(0, 9)}} }},
		{"spread", func() chooser { return plain{scorer{(fewestTasks), rng(0, 9)}} }},
		{"nomad", func() chooser { return plain{scorer{(nomadBinpack), nil}} }},
		{"nomad log", func() chooser { return plain{sampler{(nomadBinpack), rng(0, 9)}} }},
		{"first", func() chooser { return plain{scorer{(anyNode), nil}} }},
		{"random", func() chooser { return plain{scorer{(anyNode), rng(0, 9)}} }},
	}
	cs = append(cs, moreC()...)
	out := make([]string, len(cs))
	var wg sync.WaitGroup
	sem := make(chan bool, 2)
	for i, c := range cs {
		if only != "" && !strings.Contains(c.name, only) {
			continue
		}
		wg.Go(func() {
			sem <- true
			r := churn(t.vms, sh, 18*3600, c.mk())
			out[i] = fmt.Sprintf("%-30s over %6.2f %% moves %d of %d hosts %.1f", c.name, r.over*100, r.moves, r.arrivals, r.hosts)
			<-sem
		})
	}
	wg.Wait()
	for _, o := range out {
		if o != "" {
			fmt.Println(o)
		}
	}
}

func moreC() []struct {
	name string
	mk   func() chooser
} {
	return []struct {
		name string
		mk   func() chooser
	}{
		{"hybrid", func() chooser { return &hyC{h: &hybrid{}} }},
		{"hybrid moves", func() chooser { return &hyC{h: &hybrid{}, budget: 0.045} }},
	}
}

func ftoa(x float64) string { return fmt.Sprintf("%g", x) }
