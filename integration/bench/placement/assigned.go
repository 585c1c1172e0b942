package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/integration/bench/placement/workload"
)

// The deploy of E.
const (
	deployNodes    = 1000
	deployServices = 100
	deployReplicas = 100
)

// assigned is how fast a deploy's tasks get their nodes, through the log of three
// voters.
func assigned(runs int) ([]figure, error) {
	out := figure{key: "E.assigned_per_s", text: "10,000 tasks deployed on 1000 nodes, three voters (tasks/s)"}
	for range runs {
		rate, err := deploy()
		if err != nil {
			return nil, err
		}
		out.runs = append(out.runs, rate)
	}
	return []figure{out}, nil
}

// deploy makes a cluster, deploys a stack there, and answers the tasks that got a
// node a second.
func deploy() (rate float64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), ringLimit)
	defer cancel()
	r, err := newRing(ctx, workload.Nodes(deployNodes))
	if err != nil {
		return 0, fmt.Errorf("make a cluster of three voters: %w", err)
	}
	defer func() { err = errors.Join(err, r.close()) }()
	// The controller has passed its barrier, too, once it has decided on this.
	if err := r.assign(ctx, "first", 1, 1); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := r.assign(ctx, "stack", deployServices, deployReplicas); err != nil {
		return 0, err
	}
	return deployServices * deployReplicas / time.Since(began).Seconds(), nil
}

// assign deploys a stack and waits until each of its tasks has a node.
func (r *ring) assign(ctx context.Context, stack string, services, replicas int) error {
	changed := r.leader.Watch()
	defer changed.Close()
	if err := r.propose(ctx, state.PutStack{Stack: stack, Services: workload.Stack(services, replicas)}); err != nil {
		return fmt.Errorf("deploy: %w", err)
	}
	for {
		placed := r.placed(stack)
		if placed == services*replicas {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d tasks got a node: %w", placed, services*replicas, ctx.Err())
		case <-changed.C():
			changed.Take()
		}
	}
}

// placed counts the tasks of a stack that have a node.
func (r *ring) placed(stack string) int {
	n := 0
	for t := range r.leader.View().Tasks() {
		if t.Service.Stack() == stack && t.Node != "" {
			n++
		}
	}
	return n
}
