package compose

import (
	"fmt"
	"strconv"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/musterhq/muster/cluster"
)

// updates sets how the service's tasks are replaced. The deadline of Muster's own
// holds for both ways.
func (c *converter) updates(spec *cluster.ServiceSpec) error {
	d := c.config.Deploy
	if d != nil && d.UpdateConfig != nil {
		spec.Update = updateOf(d.UpdateConfig)
	}
	if d != nil && d.RollbackConfig != nil {
		u := updateOf(d.RollbackConfig)
		spec.Rollback = &u
	}
	if err := c.canary(spec); err != nil {
		return err
	}
	deadline, err := c.ownDuration("progress_deadline")
	spec.Update.ProgressDeadline = deadline
	if spec.Rollback != nil {
		spec.Rollback.ProgressDeadline = deadline
	}
	return err
}

func (c *converter) canary(spec *cluster.ServiceSpec) error {
	own, _ := c.config.Extensions[ourExtension].(map[string]any)
	raw, ok := own["canary"]
	if !ok {
		return nil
	}
	n, err := strconv.Atoi(fmt.Sprint(raw))
	if err != nil || n < 0 || n > cluster.MaxReplicas {
		return c.invalid(ourExtension+".canary", fmt.Sprintf("%q is not a number of tasks", fmt.Sprint(raw)), "give one such as 1")
	}
	spec.Update.Canary = n
	return nil
}

// ownDuration reads a time from the service's extension of Muster; 0 when it is
// not there.
func (c *converter) ownDuration(name string) (time.Duration, error) {
	own, _ := c.config.Extensions[ourExtension].(map[string]any)
	return c.duration(ourExtension, own, name)
}

// duration reads a time from a mapping of the extension; 0 when it is not there.
func (c *converter) duration(field string, in map[string]any, name string) (time.Duration, error) {
	raw, ok := in[name]
	if !ok {
		return 0, nil
	}
	d, err := time.ParseDuration(fmt.Sprint(raw))
	if err != nil || d <= 0 {
		return 0, c.invalid(join(field, name), fmt.Sprintf("%q is not a time", fmt.Sprint(raw)), "give one such as 10m")
	}
	return d, nil
}

func updateOf(u *types.UpdateConfig) cluster.Update {
	out := cluster.Update{
		Parallelism: count(u.Parallelism), Delay: duration(&u.Delay), Order: cluster.Order(u.Order),
		Monitor: duration(&u.Monitor), FailureAction: cluster.FailureAction(u.FailureAction), MaxFailureRatio: ratio(u.MaxFailureRatio),
	}
	if u.Parallelism != nil && *u.Parallelism == 0 {
		out.Parallelism = cluster.MaxReplicas // Compose's 0 is all at once
	}
	return out
}

// ratio is the number that the user wrote, which its float32 only comes near to.
func ratio(f float32) float64 {
	out, err := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64)
	if err != nil {
		return float64(f)
	}
	return out
}
