// Package workload makes the clusters and tasks that the speed of placement is
// measured on, for Go benchmarks and for `make bench-placement`.
//
// Every task asks for CPU and memory, one label rule that one in ten nodes passes,
// and to be spread over three zones. Equal arguments make equal workloads.
package workload

import (
	"fmt"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement"
)

// Sizes of the workloads: the nodes of a large cluster, of which one in ten passes
// a label rule.
const (
	nodes = 10_000
	pools = 10
	zones = 3
)

const (
	mib = int64(1) << 20
	gib = int64(1) << 30
)

// began is the time at which all of it is.
var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Case is tasks that are placed on nodes.
type Case struct {
	Snapshot placement.Snapshot
	Requests []placement.Request
}

// Grouped is 100,000 tasks of 100 services on 10,000 nodes.
func Grouped() Case { return empty(nodes, Requests(100_000, 1000)) }

// Single is 10,000 services of one task on 10,000 nodes.
func Single() Case { return empty(nodes, Requests(10_000, 1)) }

// Million is a million tasks of a thousand services on 10,000 nodes.
func Million() Case { return empty(nodes, Requests(1_000_000, 1000)) }

// Growth is 1000 tasks, of services as large as said, that any of n nodes passes.
func Growth(n, perService int) Case {
	c := empty(n, Requests(1000, perService))
	for i := range c.Requests {
		c.Requests[i].Constraints = nil
	}
	return c
}

// Full is one task where all of 10,000 nodes but a few are full.
func Full() Case {
	all := Nodes(nodes)
	var tasks []cluster.Task
	for i := range all {
		if i%1500 != 0 {
			tasks = append(tasks, cluster.Task{
				ID: cluster.TaskID(fmt.Sprintf("01J0000000000000000%07d", i)), Service: "others/all", Slot: i, Node: all[i].ID,
				Desired: cluster.Running, Resources: all[i].Capacity,
			})
		}
	}
	return Case{placement.FromView(View(all, nil, tasks), nil), Requests(1, 1)}
}

// Refused is a service of 1000 tasks that fits on no node.
func Refused() Case {
	c := empty(nodes, Requests(1000, 1000))
	for i := range c.Requests {
		c.Requests[i].Resources.MilliCPU = 200_000
	}
	return c
}

func empty(n int, reqs []placement.Request) Case {
	return Case{placement.FromView(View(Nodes(n), nil, nil), nil), reqs}
}

// View is a state that holds these objects.
func View(nodes []cluster.Node, services []cluster.Service, tasks []cluster.Task) state.View {
	return state.Restored(began, cluster.Settings{}, nodes, services, tasks).View()
}

// Nodes makes n hosts in three zones, one in ten of each pool.
func Nodes(n int) []cluster.Node {
	all := make([]cluster.Node, n)
	for i := range all {
		all[i] = cluster.Node{
			ID:        cluster.NodeID(fmt.Sprintf("01K0000000000000000000%04d", i)),
			Name:      fmt.Sprintf("host-%d", i),
			Address:   fmt.Sprintf("10.%d.%d.1", i/256, i%256),
			APIPort:   7070,
			Labels:    map[string]string{"zone": string(rune('a' + i%zones)), "pool": fmt.Sprint(i / zones % pools)},
			Capacity:  cluster.Resources{MilliCPU: 128_000, Memory: 512 * gib},
			Condition: cluster.Ready, Availability: cluster.Active, Commands: state.Version,
		}
	}
	return all
}

// Spec is that of the i-th service, with that many replicas.
func Spec(i, replicas int) cluster.ServiceSpec {
	s := cluster.ServiceSpec{Mode: cluster.Replicated, Replicas: replicas, Preferences: []string{"node.labels.zone"}}
	s.Template = cluster.Template{
		Container:    cluster.ContainerSpec{Image: cluster.Image{Ref: fmt.Sprintf("example.com/service-%d:1", i), Digest: fmt.Sprintf("sha256:%064d", i)}},
		Reservations: cluster.Resources{MilliCPU: int64(100 + i%7*50), Memory: int64(128+i%11*64) * mib},
		Constraints:  []string{fmt.Sprintf("node.labels.pool==%d", i%pools)},
	}
	return s
}

// Stack is that many services with as many replicas each.
func Stack(services, replicas int) []state.NamedSpec {
	all := make([]state.NamedSpec, services)
	for i := range all {
		all[i] = state.NamedSpec{Name: fmt.Sprintf("service-%04d", i), Spec: Spec(i, replicas)}
	}
	return all
}

// Running are the services of a stack that was deployed long ago, with their tasks
// on the nodes that they may be on.
func Running(on []cluster.Node, stack string, named []state.NamedSpec) (services []cluster.Service, tasks []cluster.Task) {
	const block = pools * zones
	for i, s := range named {
		service := cluster.Service{
			ID: cluster.NewServiceID(stack, s.Name), Generation: 1, Spec: s.Spec, Created: began, Updated: began,
			Release: cluster.Release{Outcome: cluster.OutcomeGood},
		}
		services = append(services, service)
		for k := range s.Spec.Replicas {
			n := k/zones%(len(on)/block)*block + i%pools*zones + k%zones
			tasks = append(tasks, cluster.Task{
				ID: cluster.TaskID(fmt.Sprintf("01J%s%05d%05d", stack, i, k)), Service: service.ID, Slot: k + 1, Generation: 1, Node: on[n].ID,
				Desired: cluster.Running, Resources: s.Spec.Template.Reservations, Created: began, Updated: began, ReadyAt: began,
				Observed: cluster.Observed{Phase: cluster.PhaseRunning, Started: began},
			})
		}
	}
	return services, tasks
}

// Requests asks for nodes for that many tasks, of services as large as said.
func Requests(tasks, perService int) []placement.Request {
	reqs := make([]placement.Request, tasks)
	for i := range reqs {
		if i%perService == 0 {
			n := i / perService
			s := &cluster.Service{ID: cluster.ServiceID(fmt.Sprintf("stack/service-%d", n)), Spec: Spec(n, perService)}
			t := &cluster.Task{Service: s.ID, Resources: s.Spec.Template.Reservations}
			reqs[i] = placement.RequestOf(t, s, s.Spec.Template)
		} else {
			reqs[i] = reqs[i-1]
		}
		reqs[i].Task = cluster.TaskID(fmt.Sprintf("01K1000000000000000%07d", i))
	}
	return reqs
}
