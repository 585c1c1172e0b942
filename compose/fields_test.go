package compose

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
)

// settled reports whether the table decides on the field at path: by an entry
// of its own, or by one above it that is no group.
func settled(path string) bool {
	if _, ok := verdicts[path]; ok {
		return true
	}
	for {
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			return false
		}
		path = path[:i]
		if f, ok := verdicts[path]; ok {
			return f.verdict != group
		}
	}
}

func TestEveryFieldOfTheSchemaHasAVerdict(t *testing.T) {
	for _, path := range schema.AttributePaths() {
		if !settled(string(path)) {
			t.Errorf("%s is in the schema of the specification and not in the table", path)
		}
	}
}

func TestEveryFieldOfTheTypesHasAVerdict(t *testing.T) {
	// Fields that old versions of the specification had: the schema refuses them.
	gone := map[string]bool{"services.*.dockerfile": true, "services.*.log_driver": true, "services.*.log_opt": true, "services.*.net": true, "services.*.volume_driver": true, "services.*.name": true}
	for prefix, value := range map[string]any{
		"":                    types.Project{},
		"services.*.":         types.ServiceConfig{},
		"services.*.deploy.":  types.DeployConfig{},
		"services.*.build.":   types.BuildConfig{},
		"services.*.ports.*.": types.ServicePortConfig{},
		"networks.*.":         types.NetworkConfig{},
		"volumes.*.":          types.VolumeConfig{},
	} {
		for _, name := range tags(reflect.TypeOf(value)) {
			path := strings.Replace(prefix, "ports.*.", "ports.[].", 1) + name
			if !gone[path] && !settled(path) {
				t.Errorf("%s is in the types of the specification and not in the table", path)
			}
		}
	}
}

// tags are the names that a struct of the specification has in YAML.
func tags(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case f.Anonymous:
			out = append(out, tags(f.Type)...)
		case name != "" && name != "-" && !strings.HasPrefix(name, "#"):
			out = append(out, name)
		}
	}
	return out
}

func TestTheTableListsNothingElse(t *testing.T) {
	known := make(map[string]bool)
	for _, path := range schema.AttributePaths() {
		for s := string(path); s != ""; {
			known[s] = true
			i := strings.LastIndexByte(s, '.')
			s = s[:max(i, 0)]
		}
	}
	seen := make(map[string]bool)
	for _, f := range fields {
		switch {
		case seen[f.path]:
			t.Errorf("%s is listed twice", f.path)
		case !known[f.path] && !strings.Contains(f.path, ourExtension):
			t.Errorf("%s is not in the schema of the specification", f.path)
		case f.verdict >= warned && f.note == "", f.verdict == refused && f.hint == "":
			t.Errorf("%s says too little to the user", f.path)
		}
		seen[f.path] = true
	}
}

func TestDocs(t *testing.T) {
	const path, begin, end = "../docs/compose.md", "<!-- begin fields -->\n", "<!-- end fields -->\n"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the fields", path)
	}
	got := render()
	if *update {
		if err := os.WriteFile(path, []byte(head+begin+got+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		old = got
	}
	if diff := cmp.Diff(old, got); diff != "" {
		t.Errorf("docs/compose.md is not what the table says; go test ./compose -run TestDocs -update writes it (-docs +table)\n%s", diff)
	}
}

func render() string {
	var b strings.Builder
	for _, section := range []struct {
		title  string
		prefix string
		fields []field
	}{
		{"The file", "", topFields},
		{"A service", "services.*.", serviceFields},
		{"Storage of a service", "services.*.", storageFields},
		{"deploy", "services.*.", deployFields},
		{"build", "services.*.", buildFields},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| Field | What happens |\n|---|---|\n", section.title)
		for _, f := range section.fields {
			if f.verdict == group && f.note == "" {
				continue
			}
			fmt.Fprintf(&b, "| `%s` | %s |\n", strings.TrimPrefix(f.path, section.prefix), f.outcome())
		}
	}
	return b.String() + "\n"
}

// outcome is the cell of the documentation.
func (f field) outcome() string {
	var s string
	switch f.verdict {
	case refused:
		s = "**refused**: " + f.note + "; " + f.hint
	case warned:
		s = "warning: " + f.note
	case group:
		s = f.note
	default:
		s = strings.TrimSuffix("honoured: "+f.note, ": ")
	}
	if len(f.same) > 0 {
		s += fmt.Sprintf(" (not for `%s`)", strings.Join(f.same, "`, `"))
	}
	return s
}
