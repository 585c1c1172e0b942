package compose

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/musterhq/muster/cluster"
)

// extension is the prefix of the fields that the specification leaves to
// others, and ours among them.
const (
	extension    = "x-"
	ourExtension = "x-muster"
)

// judge passes the verdict on every field of a merged model in canonical form.
// The first refused field, in the order of names, is the error, a
// *cluster.FieldError.
func judge(model map[string]any) ([]Warning, error) {
	j := &judgement{}
	err := j.mapping("", "", model)
	return j.warnings, err
}

type judgement struct {
	warnings []Warning
}

// mapping judges the fields of the mapping m, which is at place in the file and
// has the given pattern in the table.
func (j *judgement) mapping(place, pattern string, m map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if err := j.field(join(place, name), pattern, name, m[name]); err != nil {
			return err
		}
	}
	return nil
}

func (j *judgement) field(place, parent, name string, value any) error {
	f, ok := lookup(parent, name)
	switch {
	case !ok:
		return j.unlisted(place, parent, name)
	case parent == "services" && profiled(value):
		j.warn(place, "is not deployed: it has profiles, and none is active")
		return nil
	case f.harmless(value):
		return nil
	case f.verdict == refused:
		return cluster.Invalid(place, f.note, f.hint)
	case f.verdict == honoured:
		return nil
	case f.verdict == warned:
		j.warn(place, f.note)
	}
	return j.children(place, f.path, value)
}

// children judges what is below a field; a warned one has entries below it in
// the table only where they add to the warning.
func (j *judgement) children(place, pattern string, value any) error {
	switch v := value.(type) {
	case map[string]any:
		if verdicts[pattern].verdict == warned && !hasChildren(pattern) {
			return nil
		}
		return j.mapping(place, pattern, v)
	case []any:
		for i, item := range v {
			if m, ok := item.(map[string]any); ok && verdicts[pattern].verdict == group {
				if err := j.mapping(fmt.Sprintf("%s[%d]", place, i), pattern+".[]", m); err != nil {
					return err
				}
			}
		}
	default:
		if strings.HasSuffix(pattern, ourExtension) {
			return cluster.Invalid(place, "is not a mapping", "write it as "+ourExtension+": {name: value}")
		}
	}
	return nil
}

// unlisted deals with a field that is not in the table: other people's
// extensions are notes, ours must be known, and a field that the specification
// got after the table was written is named.
func (j *judgement) unlisted(place, parent, name string) error {
	switch {
	case name == ourExtension || strings.HasSuffix(parent, ourExtension) || strings.Contains(parent, ourExtension+"."):
		return cluster.Invalid(place, "is not a field of Muster", "remove it")
	case !strings.HasPrefix(name, extension):
		j.warn(place, "is not known to this version of Muster and has no effect")
	}
	return nil
}

func (j *judgement) warn(place, message string) {
	j.warnings = append(j.warnings, Warning{place, message})
}

// harmless reports whether value asks for nothing, or for what happens anyway.
func (f field) harmless(value any) bool {
	switch v := value.(type) {
	case nil:
		return !f.named()
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0 && !f.named()
	default:
		s := fmt.Sprint(v)
		return s == "" || slices.Contains(f.same, s)
	}
}

// hasChildren reports whether the table lists fields below pattern.
func hasChildren(pattern string) bool {
	return slices.ContainsFunc(fields, func(f field) bool { return strings.HasPrefix(f.path, pattern+".") })
}

// profiled reports whether a service waits for a profile.
func profiled(service any) bool {
	m, _ := service.(map[string]any)
	profiles, _ := m["profiles"].([]any)
	return len(profiles) > 0
}
