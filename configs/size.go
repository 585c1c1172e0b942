package configs

import (
	"fmt"

	"github.com/docker/go-units"
	"go.yaml.in/yaml/v4"
)

// Size is an amount of memory in bytes. Text gives it in binary units, as
// Docker does: "512M", "8GiB" or a plain number of bytes.
type Size int64

// Set reads text.
func (s *Size) Set(text string) error {
	n, err := units.RAMInBytes(text)
	if err != nil {
		return fmt.Errorf("%q is not a size; give one such as 512M or 8GiB", text)
	}
	*s = Size(n)
	return nil
}

func (s *Size) String() string {
	if s == nil || *s == 0 {
		return ""
	}
	return units.CustomSize("%.4g%s", float64(*s), 1024, []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"})
}

// Type names the kind of value in a command's help.
func (s *Size) Type() string { return "size" }

// UnmarshalYAML reads a scalar.
func (s *Size) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: a size is text such as 8GiB", n.Line)
	}
	return s.Set(n.Value)
}
