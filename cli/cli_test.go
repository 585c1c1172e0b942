package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cli/paint"
)

// TestVerbs holds every verb to the habits that users learn from one of them.
func TestVerbs(t *testing.T) {
	root := New(Deps{}).root
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		name := cmd.CommandPath()
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: its short help is %q, want a phrase without a full stop", name, cmd.Short)
		}
		if cmd.Args == nil {
			t.Errorf("%s does not say how many arguments it takes", name)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s has no help", name, f.Name)
			}
		})
		if f := cmd.Flags().Lookup("output"); f != nil && (f.Shorthand != "o" || cmd.Flags().Lookup("quiet") == nil) {
			t.Errorf("%s has -o without -q", name)
		}
		if f := cmd.Flags().Lookup("timeout"); f != nil && (f.DefValue != "5m0s" || cmd.Flags().Lookup("detach") == nil) {
			t.Errorf("%s waits otherwise than the rest", name)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	tab := table{color: true}
	tab.add(cell{text: "NAME"}, cell{text: "STATE"}, cell{text: "X"})
	tab.add(cell{text: "é"}, cell{"ok", paint.Green}, cell{text: "1"})
	tab.add(cell{text: "longer"}, cell{"down\nnow\x1b[2J", paint.Red}, cell{text: ""})
	if err := tab.write(&b); err != nil {
		t.Fatal(err)
	}
	want := "NAME    STATE        X\n" +
		"é       \x1b[32mok\x1b[0m           1\n" +
		"longer  \x1b[31mdown now[2J\x1b[0m\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestYAML keeps texts texts and the order of the fields.
func TestYAML(t *testing.T) {
	var b bytes.Buffer
	v := struct {
		Z, A, B, C, D, E string
		N                int
		L                []string
		M                map[string]string
	}{"true", "12", "", "a: b", "two\nlines", "#x", 3, []string{}, map[string]string{"k": "null"}}
	if err := encode(&b, formatYAML, v); err != nil {
		t.Fatal(err)
	}
	want := "Z: 'true'\nA: '12'\nB: ''\nC: 'a: b'\nD: |-\n  two\n  lines\nE: '#x'\nN: 3\nL: []\nM:\n  k: 'null'\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestFindServices(t *testing.T) {
	all := []api.Service{
		{Service: "web/web", Stack: "web"},
		{Service: "shop/web", Stack: "shop"},
		{Service: "shop/db", Stack: "shop"},
		{Service: "blog/cache", Stack: "blog"},
		{Service: "news/cache", Stack: "news"},
	}
	for word, want := range map[string][]string{
		"web":      {"web/web"}, // the stack before services of its name
		"shop":     {"shop/web", "shop/db"},
		"db":       {"shop/db"},
		"cache":    {"blog/cache", "news/cache"},
		"blog":     {"blog/cache"},
		"shop/web": {"shop/web"},
		"shop/no":  {},
		"no":       {},
	} {
		if d := cmp.Diff(want, serviceIDs(findServices(all, word))); d != "" {
			t.Errorf("%s (-want +got):\n%s", word, d)
		}
	}
}

func TestAge(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	c := New(Deps{Now: func() time.Time { return now }})
	for want, ago := range map[string]time.Duration{
		"0s": -time.Minute, "59s": 59 * time.Second, "1m": 119 * time.Second, "47h": 47*time.Hour + 59*time.Minute, "2d": 48 * time.Hour,
	} {
		if got := c.age(now.Add(-ago)); got != want {
			t.Errorf("%s ago: %s, want %s", ago, got, want)
		}
	}
	if got := c.age(time.Time{}); got != "-" {
		t.Errorf("no time: %s", got)
	}
}

func TestMakeName(t *testing.T) {
	for image, want := range map[string]string{
		"nginx": "nginx-", "nginx:1.27": "nginx-", "registry:5000/team/Web_App:2": "web-app-",
		"app@sha256:0123": "app-", "sha256:0123": "sha256-", "_": "run-", strings.Repeat("a", 80): strings.Repeat("a", 40) + "-",
	} {
		got := makeName(image)
		if len(got) != len(want)+5 || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s and five letters", image, got, want)
		}
	}
	if first, second := makeName("a"), makeName("a"); first == second {
		t.Error("two names are the same")
	}
}

func TestCause(t *testing.T) {
	for want, task := range map[string]api.Task{
		"":                                  {State: "running"},
		"no room":                           {State: "pending", Reason: "no room"},
		"exit code 3; 2 restarts":           {State: "backoff", ExitCode: 3, Restarts: 2},
		"exited with 3":                     {State: "failed", ExitCode: 3, Error: "exited with 3"},
		"no such image; moved from n1":      {State: "failed", Error: "no such image", Reason: "moved from n1"},
		"the same; 1 restart":               {State: "failed", Error: "the same", Reason: "the same", Restarts: 1},
		"exit of an earlier run; 1 restart": {State: "running", Error: "exit of an earlier run", Restarts: 1, ExitCode: 1},
	} {
		if got := cause(task); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
