package compose

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what the code says into golden files and docs")

// TestGolden loads compose.yaml (or the files that the archive's comment names)
// of every archive and compares the stack, with the working directory written
// as /dir, to want.json in the same archive.
func TestGolden(t *testing.T) {
	archives, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "My_Shop")
			got := loadArchive(t, archive, dir)
			i := len(archive.Files) - 1
			if *update {
				archive.Files[i].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(archive.Files[i].Data), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func loadArchive(t *testing.T, archive *txtar.Archive, dir string) string {
	t.Helper()
	for _, f := range archive.Files[:len(archive.Files)-1] {
		write(t, filepath.Join(dir, f.Name), string(f.Data))
	}
	files := []string{filepath.Join(dir, "compose.yaml")}
	for line := range strings.Lines(string(archive.Comment)) {
		if names, ok := strings.CutPrefix(line, "files:"); ok {
			files = nil
			for _, name := range strings.Fields(names) {
				files = append(files, filepath.Join(dir, name))
			}
		}
	}
	stack, err := Load(t.Context(), Options{Files: files, Env: map[string]string{"FROM_SHELL": "shell"}})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.MarshalIndent(struct {
		*Stack
		Limits []string `json:"limits,omitempty"`
	}{stack, stack.Limits()}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), dir, "/dir") + "\n"
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
