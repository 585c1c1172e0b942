package network

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the results of the golden files anew")

// TestGolden holds what a host makes of an input to the files: the input
// of a cluster, the questions of its containers, and what comes of both on host N1.
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var in Input
			if err := json.Unmarshal(archive.Files[0].Data, &in); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{
				"overlay": indented(t, OverlayOf(in, "N1")),
				"rules":   indented(t, RulesOf(in, "N1")),
				"plain":   strings.Join(append(Plain(in, "N1"), ""), "\n"),
				"names":   answers(t, ZoneOf(in, "N1", false), string(archive.Files[1].Data)),
				"virtual": answers(t, ZoneOf(in, "N1", true), string(archive.Files[1].Data)),
			}
			for i := range archive.Files[2:] {
				f := &archive.Files[2+i]
				if diff := cmp.Diff(string(f.Data), got[f.Name]); diff != "" && !*update {
					t.Errorf("%s (-want +got):\n%s", f.Name, diff)
				}
				f.Data = []byte(got[f.Name])
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func indented(t *testing.T, v any) string {
	t.Helper()
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out) + "\n"
}

// answers asks "FROM GATEWAY NAME" of each line.
func answers(t *testing.T, z *Zone, questions string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(questions) {
		f := strings.Fields(line)
		if len(f) != 3 {
			t.Fatalf("not a question: %q", line)
		}
		a := z.Lookup(netip.MustParseAddr(f[0]), netip.MustParseAddr(f[1]), f[2])
		fmt.Fprintf(&out, "%-10s %-10s %-40s %s", f[0], f[1], f[2], [...]string{"foreign", "absent", "present"}[a.Kind])
		for _, x := range a.Addresses {
			fmt.Fprintf(&out, " %s", x)
		}
		for _, x := range a.Targets {
			fmt.Fprintf(&out, " %s:%d=%s", x.Name, x.Port, x.Address)
		}
		if a.Name != "" {
			fmt.Fprintf(&out, " %s", a.Name)
		}
		out.WriteString("\n")
	}
	return out.String()
}
