package compose

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/template"
)

// maxPortRange bounds the ports that all ranges of the files stand for together.
const maxPortRange = 10_000

// portSpec has the form of a short port definition with at least one range.
var portSpec = regexp.MustCompile(`^[0-9a-fA-F.:\[\]]*[0-9]-[0-9][0-9:-]*(/[a-z]+)?$`)

// substituter replaces variables, notes those without a value, and counts the
// ports that the results stand for: the loader expands every range, in every
// file that it finds.
type substituter struct {
	unset map[string]bool
	ports int
}

func (s *substituter) substitute(text string, lookup template.Mapping) (string, error) {
	out, err := template.SubstituteWithOptions(text, lookup, template.WithoutLogging, template.WithReplacementFunction(s.replace))
	if err != nil {
		return "", err
	}
	n := portRange(out)
	if s.ports += n; n > 0 && s.ports > maxPortRange {
		return "", fmt.Errorf("%q brings the ports of all ranges above the allowed %d", out, maxPortRange)
	}
	return out, nil
}

func (s *substituter) replace(variable string, lookup template.Mapping, cfg *template.Config) (string, error) {
	value, applied, err := template.DefaultReplacementAppliedFunc(variable, lookup, cfg)
	if err == nil && !applied {
		s.unset[strings.Trim(variable, "${}")] = true
	}
	return value, err
}

func (s *substituter) warnings() []Warning {
	var out []Warning
	for _, name := range slices.Sorted(maps.Keys(s.unset)) {
		out = append(out, Warning{"${" + name + "}", "is not set and was replaced by nothing"})
	}
	return out
}

// portRange is how many ports a short port definition stands for: the longest
// of its ranges ("3000-3999:3000-3999" is 1000), and 0 without a range.
func portRange(s string) int {
	if !portSpec.MatchString(s) {
		return 0
	}
	longest := 0
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ':' || r == '/' }) {
		low, high, ok := strings.Cut(part, "-")
		a, errA := strconv.ParseUint(low, 10, 16)
		b, errB := strconv.ParseUint(high, 10, 16)
		if ok && errA == nil && errB == nil && a <= b {
			longest = max(longest, int(b-a)+1)
		}
	}
	return longest
}
