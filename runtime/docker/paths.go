package docker

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// checkSource judges the source of a bind mount: a clean absolute path that is
// not, contains not and lies not under a protected one, before and after
// symbolic links are followed.
func (p policy) checkSource(source string) error {
	if !filepath.IsAbs(source) || filepath.Clean(source) != source {
		return refuse("bind source %q: write it as an absolute path without . and ..", source)
	}
	resolved, err := p.resolve(source)
	if err != nil {
		return refuse("bind source %q: cannot be followed: %v", source, err)
	}
	for _, protected := range p.protected {
		protected = filepath.Clean(protected)
		target, err := p.resolve(protected)
		if err != nil {
			return refuse("bind source %q: protected path %q cannot be followed: %v", source, protected, err)
		}
		for _, candidate := range []string{source, resolved} {
			if overlap(candidate, protected) || overlap(candidate, target) {
				return refuse("bind source %q reaches %q, which is Muster's own; mount another path", source, protected)
			}
		}
	}
	return nil
}

// overlap reports whether one clean absolute path is, contains or lies under
// the other.
func overlap(a, b string) bool { return within(a, b) || within(b, a) }

// within reports whether path is dir or lies under it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// resolvePath follows symbolic links as far as the path exists; the rest is
// kept as it is.
func resolvePath(path string) (string, error) {
	rest := ""
	for at := path; ; at = filepath.Dir(at) {
		resolved, err := filepath.EvalSymlinks(at)
		if err == nil {
			return filepath.Join(resolved, rest), nil
		}
		if !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return "", err
		}
		if _, lerr := os.Lstat(at); lerr == nil {
			return "", err // a link to what may appear later
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}
