package overlay

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyIsKept(t *testing.T) {
	dir := t.TempDir()
	a, err := LoadKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := LoadKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	if a.Public() != b.Public() || len(a.Public()) != 44 {
		t.Errorf("keys %q and %q", a.Public(), b.Public())
	}
	if info, err := os.Stat(filepath.Join(dir, keyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v %v", info.Mode(), err)
	}
	if all, _ := os.ReadDir(dir); len(all) != 1 {
		t.Errorf("%d files were left", len(all))
	}
}

func TestKeyThatIsNone(t *testing.T) {
	for name, text := range map[string]string{"not base64": "\x00\x01", "too short": "AAAA"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, keyFile), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := LoadKey(dir); err == nil || !strings.Contains(err.Error(), "remove it") {
				t.Errorf("got %v", err)
			}
		})
	}
}
