package server

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// maxSimulated bounds the nodes that a simulation adds.
const maxSimulated = 1000

// simulate answers what would follow; nothing of it takes effect.
func simulate(c *call) (any, error) {
	var in api.Simulate
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	p := c.present()
	do, down, err := Scenario(p.view, in)
	if err != nil {
		return nil, err
	}
	out, err := c.Leader.Simulate(c.ctx, p.view, do, down)
	if err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	out.Stale = c.stale
	return out, nil
}

// record answers what a simulation rests on.
func record(c *call) (any, error) {
	out := c.Leader.Record(c.present().view)
	out.Stale = c.stale
	return out, nil
}

// Scenario makes commands of what a user supposes, and names the nodes that die.
// The error is one of the API or a *cluster.FieldError.
func Scenario(v state.View, in api.Simulate) (do []state.Body, down []cluster.NodeID, err error) {
	for _, name := range in.Kill {
		n, err := findNode(v, name)
		if err != nil {
			return nil, nil, err
		}
		down = append(down, n.ID)
	}
	joins, err := joiners(v, in.Add)
	if err != nil {
		return nil, nil, err
	}
	do = append(do, joins...)
	for _, name := range in.Drain {
		n, err := findNode(v, name)
		if err != nil {
			return nil, nil, err
		}
		do = append(do, state.SetAvailability{Node: n.ID, Availability: cluster.Drained})
	}
	if in.Deploy != nil {
		put, err := supposed(v, *in.Deploy)
		if err != nil {
			return nil, nil, err
		}
		do = append(do, put)
	}
	return do, down, nil
}

// joiners are nodes that are not there. They have names of their own.
func joiners(v state.View, add []api.SimulatedHosts) ([]state.Body, error) {
	count := 0
	for i, a := range add {
		field := fmt.Sprintf("add[%d]", i)
		r := cluster.Resources{MilliCPU: milliCPU(a.CPUs), Memory: a.Memory}
		switch err := r.Validate(field); {
		case err != nil:
			return nil, err
		case r.MilliCPU == 0 || r.Memory == 0:
			return nil, cluster.Invalid(field, "has no CPU or no memory", "give both, such as 4x8G")
		case a.Count < 1 || a.Count > maxSimulated-count:
			return nil, cluster.Invalid(field+".count", fmt.Sprintf("is %d", a.Count), fmt.Sprintf("add 1 to %d nodes in all", maxSimulated))
		}
		if err := cluster.ValidateNodeLabels(field+".labels", a.Labels); err != nil {
			return nil, err
		}
		count += a.Count
	}
	if count == 0 {
		return nil, nil
	}
	const token = "simulated"
	out := []state.Body{state.PutToken{Token: cluster.Token{ID: token, SecretHash: token, Uses: count, Expires: v.Now().Add(time.Hour)}}}
	for _, a := range add {
		for range a.Count {
			name := fmt.Sprintf("new-%d", len(out))
			out = append(out, state.JoinNode{Token: token, Node: cluster.Node{
				ID: cluster.NodeID(name), Name: name, Labels: a.Labels, OS: "linux",
				Capacity: cluster.Resources{MilliCPU: milliCPU(a.CPUs), Memory: a.Memory},
			}})
		}
	}
	return out, nil
}

// milliCPU is in thousandths of a core; what is too much is more than allowed.
func milliCPU(cores float64) int64 {
	return int64(max(min(cores*1000, float64(cluster.MaxMilliCPU+1)), -1))
}

// supposed is a stack as it would be deployed. Images are not resolved: one whose
// reference is as before counts as unchanged.
func supposed(v state.View, in api.SimulatedStack) (state.Body, error) {
	if err := validateStack(in.Stack, api.Deploy{Services: in.Services, Networks: in.Networks}); err != nil {
		return nil, err
	}
	put := state.PutStack{Stack: in.Stack, Networks: in.Networks}
	for _, s := range in.Services {
		image := &s.Spec.Template.Container.Image
		if old, ok := v.Service(cluster.ServiceID(in.Stack + "/" + s.Name)); ok && image.Ref == old.Spec.Template.Container.Image.Ref {
			*image = old.Spec.Template.Container.Image
		}
		put.Services = append(put.Services, state.NamedSpec{Name: s.Name, Spec: s.Spec})
	}
	slices.SortFunc(put.Services, func(a, b state.NamedSpec) int { return cmp.Compare(a.Name, b.Name) })
	return put, nil
}
