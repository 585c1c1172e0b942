package compose

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/musterhq/muster/cluster"
)

// own takes what x-muster says of placement, of traffic and of health. Its fields
// are those of cluster.Placement, below balance those of cluster.Balance and below
// health those of cluster.Probe.
func (c *converter) own(spec *cluster.ServiceSpec) error {
	fields, ok := c.config.Extensions[ourExtension].(map[string]any)
	if !ok {
		return nil
	}
	if err := c.balance(fields["balance"], &spec.Balance); err != nil {
		return err
	}
	if err := c.probe(fields["health"], &spec.Template.Container.Probe); err != nil {
		return err
	}
	expected, err := c.ownDuration("expected")
	if err != nil {
		return err
	}
	fields = maps.Clone(fields)
	for _, other := range []string{"expected", "resources", "balance", "health"} {
		delete(fields, other) // which are read as people write them
	}
	spec.Placement.Expected = expected
	return c.decode(ourExtension, fields, &spec.Placement, "see docs/placement.md")
}

func (c *converter) balance(raw any, into *cluster.Balance) error {
	const field = ourExtension + ".balance"
	if raw == nil {
		return nil
	}
	fields, ok := raw.(map[string]any)
	if !ok {
		return c.invalid(field, "is not a mapping", "write it as balance: {policy: least-request}")
	}
	slow, err := c.duration(field, fields, "slow_start")
	if err != nil {
		return err
	}
	fields = maps.Clone(fields)
	delete(fields, "slow_start")
	into.SlowStart = slow
	return c.decode(field, fields, into, "see docs/traffic.md")
}

func (c *converter) probe(raw any, into **cluster.Probe) error {
	const field = ourExtension + ".health"
	if raw == nil {
		return nil
	}
	fields, ok := raw.(map[string]any)
	if !ok {
		return c.invalid(field, "is not a mapping", "write it as health: {http: {port: 8080, path: /healthz}}")
	}
	out := &cluster.Probe{}
	for name, d := range map[string]*time.Duration{"interval": &out.Interval, "timeout": &out.Timeout, "start_period": &out.StartPeriod} {
		var err error
		if *d, err = c.duration(field, fields, name); err != nil {
			return err
		}
	}
	fields = maps.Clone(fields)
	for _, other := range []string{"interval", "timeout", "start_period"} {
		delete(fields, other)
	}
	*into = out
	return c.decode(field, fields, out, "see docs/traffic.md")
}

// decode reads a mapping of the extension by the names that its fields have in JSON.
func (c *converter) decode(field string, fields map[string]any, into any, hint string) error {
	data, err := json.Marshal(fields)
	if err != nil {
		return c.invalid(field, "cannot be read: "+err.Error(), "use words, numbers and lists")
	}
	err = json.Unmarshal(data, into)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return c.invalid(join(field, wrong.Field), fmt.Sprintf("is a %s where %s is expected", wrong.Value, named[wrong.Type.Kind().String()]), hint)
	}
	return err
}

// named is what people call a type.
var named = map[string]string{"string": "a word", "int": "a whole number", "uint16": "a port number", "bool": "true or false", "slice": "a list", "struct": "a mapping"}
