package compose

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/musterhq/muster/cluster"
)

// FuzzLoad holds Load to its word: it never panics, and what it accepts is a
// valid stack that loads the same a second time.
func FuzzLoad(f *testing.F) {
	archives, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, ".yaml") {
				f.Add(file.Data)
			}
		}
	}
	examples, err := filepath.Glob("../configs/examples/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range examples {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		// Files outside are not the fuzzer's to read.
		if bytes.Contains(data, []byte("include")) || bytes.Contains(data, []byte("file")) {
			t.Skip("refers to other files")
		}
		o := Options{Files: []string{"-"}, Stack: "fuzz", Env: map[string]string{}, WorkingDir: dir}
		o.Stdin = bytes.NewReader(data)
		stack, err := Load(t.Context(), o)
		if err != nil {
			return
		}
		if err := cluster.ValidateStack(stack.Name, stack.Specs()); err != nil {
			t.Errorf("accepted and not valid: %v", err)
		}
		o.Stdin = bytes.NewReader(data)
		again, err := Load(t.Context(), o)
		if err != nil {
			t.Fatalf("accepted, then refused: %v", err)
		}
		if a, b := encode(t, stack), encode(t, again); !bytes.Equal(a, b) {
			t.Errorf("loads differently a second time:\n%s\n%s", a, b)
		}
	})
}
