package buildctx

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRules(t *testing.T) {
	for _, tc := range []struct {
		name, file string
		in, out    []string
	}{
		{"nothing", "", []string{"a"}, nil},
		{"comments and empty lines", "# a\n\n  \n.\n/\n", []string{"a"}, nil},
		{"a name is of the top only", "a", []string{"b/a", "ab"}, []string{"a", "a/b"}},
		{"leading and trailing slashes", "/a/", nil, []string{"a", "a/b"}},
		{"star stays in one directory", "*.log", []string{"d/x.log"}, []string{"x.log"}},
		{"two stars do not", "**/*.log", []string{"x.txt"}, []string{"x.log", "d/e/x.log"}},
		{"two stars at the end", "a/**", []string{"a", "b"}, []string{"a/b", "a/b/c"}},
		{"everything", "*\n!src", []string{"src", "src/x"}, []string{"a", "b/c"}},
		{"the last match wins", "a\n!a/b\na/b/c", []string{"a/b", "a/b/d"}, []string{"a", "a/b/c"}},
		{"question mark and class", "?x\n[ab]y", []string{"xxx", "cy"}, []string{"1x", "ay"}},
		{"dots are dots", "a.b", []string{"acb"}, []string{"a.b"}},
		{"escapes", `a\*`, []string{"ab"}, []string{"a*"}},
		{"line ends of another system", "a\r\nb\r\n", []string{"c"}, []string{"a", "b"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := parseRules(tc.file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range tc.in {
				if r.exclude(name) {
					t.Errorf("%s is left out", name)
				}
			}
			for _, name := range tc.out {
				if !r.exclude(name) {
					t.Errorf("%s is sent", name)
				}
			}
		})
	}
	if _, err := parseRules("[a"); err == nil {
		t.Error("an open class is taken")
	}
}

func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// pack returns what an archive holds: content of files, "-> target" of links.
func pack(t *testing.T, dir, dockerfile string) map[string]string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(t.Context(), &b, dir, dockerfile); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" {
			t.Errorf("%s belongs to %d:%d %s", h.Name, h.Uid, h.Gid, h.Uname)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[h.Name] = string(content)
		if h.Typeflag == tar.TypeSymlink {
			out[h.Name] = "-> " + h.Linkname
		}
	}
}

func TestWrite(t *testing.T) {
	dir := files(t, map[string]string{
		"Dockerfile": "FROM scratch", ".dockerignore": "*\n!src", "src/main.go": "package main", "README": "read",
	})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "src", "link")); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Dockerfile": "FROM scratch", ".dockerignore": "*\n!src", "src/": "", "src/main.go": "package main", "src/link": "-> /etc/passwd",
	}
	if d := cmp.Diff(want, pack(t, dir, "Dockerfile")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestDockerfileOfItsOwn uses the ignore file that belongs to a Dockerfile, and
// sends both from a directory that is left out.
func TestDockerfileOfItsOwn(t *testing.T) {
	dir := files(t, map[string]string{
		".dockerignore": "app", "app": "app", "other": "other",
		"build/web.Dockerfile": "FROM scratch", "build/web.Dockerfile.dockerignore": "build\nother", "build/rest": "rest",
	})
	want := map[string]string{
		".dockerignore": "app", "app": "app",
		"build/web.Dockerfile": "FROM scratch", "build/web.Dockerfile.dockerignore": "build\nother",
	}
	if d := cmp.Diff(want, pack(t, dir, "build/web.Dockerfile")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestWriteRefuses(t *testing.T) {
	dir := files(t, map[string]string{"Dockerfile": "FROM scratch"})
	for dockerfile, want := range map[string]string{
		"../Dockerfile": "outside of the build context",
		"/Dockerfile":   "outside of the build context",
		"Other":         "find the Dockerfile",
	} {
		if err := Write(t.Context(), io.Discard, dir, dockerfile); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", dockerfile, err, want)
		}
	}
	if err := Write(t.Context(), io.Discard, filepath.Join(dir, "none"), "Dockerfile"); err == nil {
		t.Error("a directory that is not there is packed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Write(ctx, io.Discard, dir, "Dockerfile"); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got %v", err)
	}
}
