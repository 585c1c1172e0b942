package compose

import (
	"fmt"

	"github.com/musterhq/muster/cluster"
)

// own takes what x-muster says of placement.
func (c *converter) own(spec *cluster.ServiceSpec) error {
	policy, err := c.ownText("policy")
	if err != nil {
		return err
	}
	spec.Placement.Policy = cluster.Policy(policy)
	spec.Placement.Partition, err = c.ownText("partition")
	return err
}

// ownText reads a word from x-muster; "" when it is not there.
func (c *converter) ownText(name string) (string, error) {
	own, _ := c.config.Extensions[ourExtension].(map[string]any)
	switch value := own[name].(type) {
	case nil:
		return "", nil
	case string:
		return value, nil
	default:
		return "", c.invalid(ourExtension+"."+name, fmt.Sprintf("%v is not a word", value), "put it in quotes")
	}
}
