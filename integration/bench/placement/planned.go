package main

import (
	"context"
	"fmt"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/controller"
	"github.com/musterhq/muster/integration/bench/placement/workload"
)

// The stack of F, and what runs already.
const (
	planNodes     = 1000
	planServices  = 50
	planReplicas  = 3
	otherServices = 100
	otherReplicas = 100
)

// planned is what the leader computes for `muster plan`: the state with the
// deploy, and what follows from it.
func planned(runs int) ([]figure, error) {
	nodes, stack := workload.Nodes(planNodes), workload.Stack(planServices, planReplicas)
	services, tasks := workload.Running(nodes, "others", workload.Stack(otherServices, otherReplicas))
	first, err := plan(workload.View(nodes, services, tasks), stack, runs)
	if err != nil {
		return nil, err
	}
	own, ownTasks := workload.Running(nodes, "stack", stack)
	for i := range stack {
		stack[i].Spec.Template.Container.Image = cluster.Image{Ref: "example.com/next:2", Digest: "sha256:2"}
	}
	next, err := plan(workload.View(nodes, append(services, own...), append(tasks, ownTasks...)), stack, runs)
	return []figure{
		{"F.plan_cpu_ms", "plan of a new stack of 50 services on 1000 nodes (CPU, ms)", first},
		{"F.update_cpu_ms", "plan of an update of all of it (CPU, ms)", next},
	}, err
}

// plan plans a deploy as often as there are runs, and answers what each took in
// milliseconds.
func plan(before state.View, services []state.NamedSpec, runs int) (took []float64, err error) {
	for range runs {
		began := cpuTime()
		scratch := before.Fork()
		res := scratch.Apply(before.Index()+1, state.Command{At: before.Now(), Body: state.PutStack{Stack: "stack", Services: services}})
		if res.Err != nil {
			return nil, res.Err
		}
		f, err := controller.Forecast(context.Background(), before, scratch.View(), "stack", controller.Facts{})
		if err != nil {
			return nil, err
		}
		took = append(took, float64(cpuTime()-began)/float64(time.Millisecond))
		if !f.Ends || len(f.Tasks) != planServices*planReplicas {
			return nil, fmt.Errorf("the plan has %d tasks, want %d", len(f.Tasks), planServices*planReplicas)
		}
	}
	return took, nil
}
