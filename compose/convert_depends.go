package compose

import (
	"maps"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// depends takes the services that this one waits for, in the order of their names.
func (c *converter) depends(spec *cluster.ServiceSpec) error {
	for _, name := range slices.Sorted(maps.Keys(c.config.DependsOn)) {
		d := c.config.DependsOn[name]
		spec.DependsOn = append(spec.DependsOn, cluster.Dependency{
			Service: name, Condition: cluster.DependCondition(d.Condition), Optional: !d.Required,
		})
	}
	return nil
}
