package main

import (
	"fmt"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/placement"
)

// place has the product's engine place the tasks, in one plan.
func (q *filling) place(tasks []*vector, seed int) (packed, error) {
	snap, err := snapshot(q.nodes)
	if err != nil {
		return packed{}, err
	}
	requests := make([]placement.Request, len(tasks))
	index := make(map[cluster.TaskID]int, len(tasks))
	for i, d := range tasks {
		requests[i] = request(i, d)
		index[requests[i].Task] = i
	}
	plan := placement.Place(snap, requests, uint64(seed))
	if len(plan.Assign)+len(plan.Pending) != len(tasks) {
		return packed{}, fmt.Errorf("the plan answers %d of %d requests", len(plan.Assign)+len(plan.Pending), len(tasks))
	}
	placed := make([]bool, len(tasks))
	for _, c := range plan.Assign {
		placed[index[c.Task]] = true
	}
	return q.count(tasks, placed), nil
}

// snapshot is that of a cluster of empty nodes.
func snapshot(nodes []vector) (placement.Snapshot, error) {
	st := state.New()
	at := time.Unix(0, 0)
	apply := func(b state.Body) error {
		if r := st.Apply(st.View().Index()+1, state.Command{At: at, Body: b}); r.Err != nil {
			return r.Err
		}
		return nil
	}
	for i := range nodes {
		var err error
		if n := node(i, &nodes[i]); i > 0 {
			err = apply(state.JoinNode{Token: "bench", Node: n})
		} else if err = apply(state.Init{Identity: cluster.Identity{ID: "bench", Epoch: 1}, Node: n}); err == nil {
			err = apply(state.PutToken{Token: cluster.Token{ID: "bench", SecretHash: "none", Uses: len(nodes), Expires: at.Add(time.Hour)}})
		}
		if err != nil {
			return placement.Snapshot{}, fmt.Errorf("make a cluster of the trace's nodes: %w", err)
		}
	}
	return placement.FromView(st.View(), nil), nil
}

func node(i int, total *vector) cluster.Node {
	name := fmt.Sprintf("node-%04d", i)
	n := cluster.Node{ID: cluster.NodeID(name), Name: name, Capacity: resources(total)}
	for d := range total[gpu] / device {
		n.Devices = append(n.Devices, cluster.HostDevice{Kind: cluster.DeviceGPU, ID: fmt.Sprint(d)})
	}
	return n
}

// request is that of a service with one task.
func request(i int, d *vector) placement.Request {
	r := placement.Request{
		Task: cluster.TaskID(fmt.Sprintf("task-%06d", i)), Service: cluster.ServiceID(fmt.Sprintf("bench/%06d", i)),
		Resources: resources(d),
	}
	if d[gpu] > 0 {
		r.Devices = []cluster.DeviceRequest{{Kind: cluster.DeviceGPU, Milli: d[gpu]}}
	}
	return r
}

func resources(v *vector) cluster.Resources {
	return cluster.Resources{MilliCPU: v[cpu], Memory: v[memory] << 20, MilliGPU: v[gpu]}
}
