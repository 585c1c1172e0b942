package server

import (
	"fmt"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// planStack says what a deploy would do, on a copy of the state.
func planStack(c *call) (any, error) {
	stack, in, err := c.givenStack()
	if err != nil {
		return nil, err
	}
	if err := c.resolveImages(in.Services); err != nil {
		return nil, err
	}
	before, ok := c.State.View()
	if !ok {
		return nil, api.Errorf(api.CodeUnavailable, "this node has no state yet").WithHint("try again")
	}
	scratch := before.Fork()
	res := scratch.Apply(before.Index()+1, state.Command{At: time.Now(), Body: putStack(stack, in)})
	if res.Err != nil {
		return nil, fromState(res.Err)
	}
	after := scratch.View()
	out := api.Plan{Stack: stack, Index: before.Index(), Services: []api.PlannedService{}, Basis: cluster.BasisOf(before.StackServices(stack))}
	changed := false
	for _, s := range res.Services {
		p := api.PlannedService{Service: string(s.Service), Action: s.Action, Generation: s.Generation, Old: specOf(before, s.Service), New: specOf(after, s.Service)}
		changed = changed || s.Action != "unchanged"
		out.Services = append(out.Services, p)
	}
	out.Networks, out.NetworkChanges = in.Networks, networkChanges(after, before.Index())
	out.Forecast = api.Forecast{Tasks: []api.PlannedTask{}, Images: []api.PlannedImage{}, Lowest: []api.LowestPoint{}, Ends: true}
	if changed && c.r.URL.Query().Get("forecast") != "false" {
		if out.Forecast, err = c.Leader.Forecast(c.ctx, before, after, stack); err != nil {
			return nil, fmt.Errorf("plan: %w", err)
		}
	}
	return out, nil
}

func specOf(v state.View, id cluster.ServiceID) *cluster.ServiceSpec {
	if s, ok := v.Service(id); ok && !s.Removing {
		return &s.Spec
	}
	return nil
}

// networkChanges are those behind an index.
func networkChanges(v state.View, index uint64) []api.PlannedNetwork {
	var out []api.PlannedNetwork
	for e := range v.Events(index) {
		if e.Type == "network" {
			out = append(out, api.PlannedNetwork{Network: e.Object, Action: e.Action, Message: e.Message})
		}
	}
	return out
}
