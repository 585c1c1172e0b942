package compose

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/musterhq/muster/cluster"
)

// own takes what x-muster says of placement. Its fields are those of
// cluster.Placement.
func (c *converter) own(spec *cluster.ServiceSpec) error {
	fields, ok := c.config.Extensions[ourExtension].(map[string]any)
	if !ok {
		return nil
	}
	expected, err := c.ownDuration("expected")
	if err != nil {
		return err
	}
	fields = maps.Clone(fields)
	delete(fields, "expected") // it is read as people write it
	spec.Placement.Expected = expected
	delete(fields, "resources") // which are the template's
	data, err := json.Marshal(fields)
	if err != nil {
		return c.invalid(ourExtension, "cannot be read: "+err.Error(), "use words, numbers and lists")
	}
	err = json.Unmarshal(data, &spec.Placement)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return c.invalid(join(ourExtension, wrong.Field), fmt.Sprintf("is a %s where %s is expected", wrong.Value, named[wrong.Type.Kind().String()]), "see docs/placement.md")
	}
	return err
}

// named is what people call a type.
var named = map[string]string{"string": "a word", "int": "a whole number", "slice": "a list", "struct": "a mapping"}
