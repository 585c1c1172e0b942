package agent

import (
	"context"
	"fmt"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/server"
	"github.com/musterhq/muster/controller"
)

// Simulate answers from a recording what would follow, as an agent does from the
// cluster; it needs none. What is not recorded of a stack that is deployed is not
// looked at.
func Simulate(ctx context.Context, r api.Recording, in api.Simulate) (out api.Simulation, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("simulate: the recording makes no sense (%v); record it again", p)
		}
	}()
	v, facts, err := controller.Replay(r)
	if err != nil {
		return out, fmt.Errorf("read the recording: %w", err)
	}
	if in.Deploy != nil {
		stack := *in.Deploy
		stack.Services = append([]api.NamedSpec(nil), stack.Services...)
		for i := range stack.Services {
			stack.Services[i].Spec = controller.Bare(stack.Services[i].Spec)
		}
		in.Deploy = &stack
	}
	do, down, err := server.Scenario(v, in)
	if err != nil {
		return out, err
	}
	out, err = controller.Foresee(ctx, v, facts, controller.Scenario{Do: do, Down: down})
	out.Stale = r.Stale
	return out, err
}
