package compose

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/musterhq/muster/cluster"
)

func (c *converter) scale(spec *cluster.ServiceSpec) error {
	mode, replicas := "", c.config.Scale
	if d := c.config.Deploy; d != nil {
		mode = d.Mode
		if replicas == nil {
			replicas = d.Replicas
		}
	}
	switch mode {
	case "", "replicated":
		spec.Mode, spec.Replicas = cluster.Replicated, 1
		if replicas != nil {
			spec.Replicas = *replicas
		}
		return nil
	case "global":
		spec.Mode = cluster.Global
		if replicas != nil {
			return c.invalid("deploy.replicas", "is set for a global service, which has one task on every node", "remove it, or use mode: replicated")
		}
		return nil
	case "replicated-job", "global-job":
		return c.invalid("deploy.mode", "jobs are not run yet", "use replicated with restart_policy.condition: none")
	}
	return c.invalid("deploy.mode", fmt.Sprintf("%q is not a mode", mode), "use replicated or global")
}

// resources takes deploy.resources and, where that is silent, the older fields
// of the service.
func (c *converter) resources(spec *cluster.ServiceSpec) error {
	s := c.config
	limits := types.Resource{NanoCPUs: types.NanoCPUs(s.CPUS), MemoryBytes: s.MemLimit, Pids: s.PidsLimit}
	reservations := types.Resource{MemoryBytes: s.MemReservation}
	if s.Deploy != nil {
		merge(&limits, s.Deploy.Resources.Limits)
		merge(&reservations, s.Deploy.Resources.Reservations)
	}
	t := &spec.Template
	var err error
	if t.Limits, err = c.amount("deploy.resources.limits", limits); err != nil {
		return err
	}
	if t.Reservations, err = c.amount("deploy.resources.reservations", reservations); err != nil {
		return err
	}
	if limits.Pids != -1 { // -1: no limit
		t.PidsLimit = limits.Pids
	}
	return nil
}

func merge(into, from *types.Resource) {
	if from == nil {
		return
	}
	if from.NanoCPUs != 0 {
		into.NanoCPUs = from.NanoCPUs
	}
	if from.MemoryBytes != 0 {
		into.MemoryBytes = from.MemoryBytes
	}
	if from.Pids != 0 {
		into.Pids = from.Pids
	}
}

// amount makes whole thousandths of a core of the cores in r, which the parser
// holds as a 32-bit float.
func (c *converter) amount(name string, r types.Resource) (cluster.Resources, error) {
	const hint = "give a number of cores such as 0.5"
	milli := math.Round(float64(r.NanoCPUs) * 1000)
	switch {
	case math.IsNaN(milli):
		return cluster.Resources{}, c.invalid(name+".cpus", "is not a number", hint)
	case math.Abs(milli) > float64(cluster.MaxMilliCPU):
		return cluster.Resources{}, c.invalid(name+".cpus", "is more than a million cores", hint)
	case r.MemoryBytes == math.MinInt64: // where the parser's conversion overflows to
		return cluster.Resources{}, c.invalid(name+".memory", "is too large", "give a size such as 256M")
	case milli == 0 && r.NanoCPUs != 0:
		return cluster.Resources{}, c.invalid(name+".cpus", "is less than a thousandth of a core", hint)
	}
	return cluster.Resources{MilliCPU: int64(milli), Memory: int64(r.MemoryBytes)}, nil
}

// restart follows deploy.restart_policy, then restart, then Swarm's default.
func (c *converter) restart(spec *cluster.ServiceSpec) error {
	if d := c.config.Deploy; d != nil && d.RestartPolicy != nil {
		p := d.RestartPolicy
		spec.Template.Restart = cluster.RestartPolicy{
			Condition:   cluster.RestartCondition(p.Condition),
			Delay:       duration(p.Delay),
			MaxAttempts: count(p.MaxAttempts),
			Window:      duration(p.Window),
		}
		if p.Condition == "" {
			spec.Template.Restart.Condition = cluster.RestartAny
		}
		return nil
	}
	policy, err := parseRestart(c.config.Restart)
	if err != nil {
		return c.invalid("restart", err.Error(), `use "no", always, unless-stopped, on-failure or on-failure:3`)
	}
	spec.Template.Restart = policy
	return nil
}

func parseRestart(s string) (cluster.RestartPolicy, error) {
	name, attempts, limited := strings.Cut(s, ":")
	policy := cluster.RestartPolicy{Condition: cluster.RestartAny}
	switch {
	case name == "on-failure":
		policy.Condition = cluster.RestartOnFailure
	case limited:
		return policy, fmt.Errorf("%q has a number, which only on-failure takes", s)
	case name == "no":
		policy.Condition = cluster.RestartNever
	case name != "" && name != "always" && name != "unless-stopped":
		return policy, fmt.Errorf("%q is not a policy", s)
	}
	if limited {
		n, err := strconv.ParseUint(attempts, 10, 31)
		if err != nil {
			return policy, fmt.Errorf("%q does not end in a number", s)
		}
		policy.MaxAttempts = int(n)
	}
	return policy, nil
}

func (c *converter) placement(spec *cluster.ServiceSpec) error {
	d := c.config.Deploy
	if d == nil {
		return nil
	}
	spec.Template.Constraints = list(d.Placement.Constraints)
	spec.Template.MaxPerNode = count(&d.Placement.MaxReplicas)
	for _, p := range d.Placement.Preferences {
		spec.Preferences = append(spec.Preferences, p.Spread)
	}
	return nil
}
