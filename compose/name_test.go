package compose

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/musterhq/muster/cluster"
)

func TestNormalise(t *testing.T) {
	for dir, want := range map[string]string{
		"shop":                         "shop",
		"My_Shop 2.0":                  "my-shop-2-0",
		"--x--":                        "x",
		".hidden":                      "hidden",
		"\u00fcber":                    "ber",
		"!!!":                          "",
		"/":                            "",
		strings.Repeat("a", 70):        strings.Repeat("a", 63),
		strings.Repeat("a", 62) + "-b": strings.Repeat("a", 62),
	} {
		got := normalise(dir)
		if got != want {
			t.Errorf("normalise(%q) = %q, want %q", dir, got, want)
		}
		if got != "" && cluster.ValidateName("name", got) != nil {
			t.Errorf("normalise(%q) = %q, which is no name", dir, got)
		}
	}
}

// TestStackName: the argument goes before the file's name, and that before the
// directory's.
func TestStackName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "The_Dir")
	named, plain := filepath.Join(dir, "named.yaml"), filepath.Join(dir, "plain.yaml")
	write(t, named, "name: ${PREFIX:-my}-file\n"+web("hostname: ${COMPOSE_PROJECT_NAME}"))
	write(t, plain, web())
	for name, tc := range map[string]struct {
		file, argument, want string
	}{
		"argument":  {named, "arg", "arg"},
		"file":      {named, "", "my-file"},
		"directory": {plain, "", "the-dir"},
	} {
		t.Run(name, func(t *testing.T) {
			stack, err := Load(t.Context(), Options{Files: []string{tc.file}, Stack: tc.argument, Env: map[string]string{}})
			if err != nil {
				t.Fatal(err)
			}
			if stack.Name != tc.want {
				t.Errorf("the stack is called %q, want %q", stack.Name, tc.want)
			}
			if tc.file == named {
				if got := stack.Services[0].Spec.Template.Container.Hostname; got != tc.want {
					t.Errorf("COMPOSE_PROJECT_NAME is %q, want %q", got, tc.want)
				}
			}
		})
	}
}
