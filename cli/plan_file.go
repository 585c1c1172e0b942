package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// planFormat is the first thing in a file with a plan.
const planFormat = "muster-plan/1"

// savedPlan is a file that plan --out writes and deploy --plan reads.
type savedPlan struct {
	Format string   `json:"format"`
	Plan   api.Plan `json:"plan"`
}

// savePlan writes a plan for deploy --plan. It holds the services' environment.
func savePlan(file string, p api.Plan) error {
	return keep(file, "the plan", "--out", savedPlan{planFormat, p})
}

// readPlan reads what savePlan wrote.
func readPlan(file string) (api.Plan, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return api.Plan{}, fmt.Errorf("read the plan: %w; make one with muster plan --out %s", err, file)
	}
	var s savedPlan
	if err := json.Unmarshal(data, &s); err != nil || s.Format != planFormat {
		return api.Plan{}, fmt.Errorf("%s is no plan that this version can read; make one with muster plan --out %s", file, file)
	}
	return s.Plan, nil
}

// deployPlan deploys a plan if it would still do what it says.
func (c *CLI) deployPlan(ctx context.Context, file string, wait waiting, why note) error {
	plan, err := readPlan(file)
	if err != nil {
		return err
	}
	cl, err := c.connect()
	if err != nil {
		return err
	}
	in := api.Deploy{Note: why.said(), Networks: plan.Networks}
	for _, s := range plan.Services {
		if s.New != nil {
			in.Services = append(in.Services, api.NamedSpec{Name: cluster.ServiceID(s.Service).Name(), Spec: *s.New})
		}
	}
	now, err := cl.Plan(ctx, plan.Stack, in)
	if err != nil {
		return fmt.Errorf("look at what the plan in %s would do now: %w", file, err)
	}
	if changed := departs(plan, now); changed != "" {
		return fmt.Errorf("nothing was changed: the plan in %s would do something else by now: %s; make a new one with muster plan --out %s", file, changed, file)
	}
	in.Basis = &now.Basis
	return c.send(ctx, cl, plan.Stack, in, wait, nil)
}

// departs says what a plan does now that it did not do when it was made, or "".
// Which images are to be fetched is of no matter, nor a task's wording.
func departs(then, now api.Plan) string {
	if d := then.Basis.Changed(now.Basis); d != "" {
		return string(d) + " has changed"
	}
	if !reflect.DeepEqual(then.Services, now.Services) {
		return "its services differ"
	}
	if !slices.EqualFunc(then.NetworkChanges, now.NetworkChanges, func(a, b api.PlannedNetwork) bool { return a.Network == b.Network && a.Action == b.Action }) {
		return "its networks differ"
	}
	did, does := steps(then), steps(now)
	for _, s := range does {
		if !slices.Contains(did, s) {
			return "it would " + s
		}
	}
	for _, s := range did {
		if !slices.Contains(does, s) {
			return "it would not " + s
		}
	}
	if !slices.Equal(then.Lowest, now.Lowest) {
		return "fewer or more tasks would be ready in between"
	}
	return ""
}

// steps are what a plan does, in words.
func steps(p api.Plan) []string {
	out := make([]string, len(p.Tasks))
	for i, t := range p.Tasks {
		if t.Action == "pending" {
			t.Reason = "" // its wording changes with every other task
		}
		out[i] = t.Action + " " + stepLine(t)
	}
	return out
}
