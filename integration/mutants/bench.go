package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// bench runs mutants, with its files in a directory that it removes.
type bench struct {
	ctx  context.Context
	root string // of the module
	dir  string
}

func newBench(ctx context.Context) (*bench, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, fmt.Errorf("find the module: %w", err)
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the mutants: %w", err)
	}
	return &bench{ctx: ctx, root: strings.TrimSpace(string(out)), dir: dir}, nil
}

func (b *bench) close() { _ = os.RemoveAll(b.dir) }

// healthy checks that the code as it is passes what is to catch its mutants.
func (b *bench) healthy(chosen []mutant) error {
	done := map[catcher]bool{}
	for _, m := range chosen {
		if done[m.catch] {
			continue
		}
		done[m.catch] = true
		if out, failed, err := b.ask(m.catch, ""); err != nil {
			return fmt.Errorf("%s, without a mutant: %w", m.catch, err)
		} else if failed {
			return fmt.Errorf("%s fails without a mutant:\n%s", m.catch, out)
		}
	}
	return nil
}

// try reports whether the mutant is caught, and by what.
func (b *bench) try(m mutant) (by string, caught bool, err error) {
	src, err := m.source(b.root)
	if err != nil {
		return "", false, err
	}
	file := filepath.Join(b.dir, "mutant.go")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(b.root, m.file): file}})
	if err != nil {
		return "", false, fmt.Errorf("write the overlay: %w", err)
	}
	list := filepath.Join(b.dir, "overlay.json")
	if err := errors.Join(os.WriteFile(file, src, 0o600), os.WriteFile(list, overlay, 0o600)); err != nil {
		return "", false, fmt.Errorf("write the mutant: %w", err)
	}
	out, caught, err := b.ask(m.catch, "-overlay="+list)
	if !caught {
		return "", false, err
	}
	return firstFailure(out), true, nil
}

// source is the file with the check taken out.
func (m mutant) source(root string) ([]byte, error) {
	src, err := os.ReadFile(filepath.Join(root, m.file)) //nolint:gosec // the names are in this package
	if err != nil {
		return nil, fmt.Errorf("read the code to change: %w", err)
	}
	if n := strings.Count(string(src), m.old); n != 1 {
		return nil, fmt.Errorf("%q is there %d times; the code has changed, so write the mutant anew in integration/mutants/list.go", m.old, n)
	}
	return []byte(strings.Replace(string(src), m.old, m.now, 1)), nil
}

// ask runs what catches, and reports whether it failed. An error means that it
// could not be asked: code that does not compile is no mutant.
func (b *bench) ask(c catcher, overlay string) (out string, failed bool, err error) {
	if c.pkg != "" {
		bin := filepath.Join(b.dir, "pkg.test")
		if err := b.build(overlay, "test", "-c", "-o", bin, c.pkg); err != nil {
			return "", false, err
		}
		args := []string{"-test.timeout=1m", "-test.short"}
		if c.run != "" {
			args = append(args, "-test.run="+c.run)
		}
		return b.verdict(filepath.Join(b.root, c.pkg), bin, args...)
	}
	bin := filepath.Join(b.dir, "sim")
	if err := b.build(overlay, "build", "-o", bin, "./integration/sim/cmd/sim"); err != nil {
		return "", false, err
	}
	return b.verdict(b.root, bin, "-first", "-seeds", fmt.Sprint(c.seeds))
}

func (b *bench) build(overlay, verb string, args ...string) error {
	if overlay != "" {
		args = append([]string{overlay}, args...)
	}
	cmd := exec.CommandContext(b.ctx, "go", append([]string{verb}, args...)...) //nolint:gosec // go itself
	cmd.Dir = b.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile it: %w\n%s", err, out)
	}
	return nil
}

// verdict runs a program in the directory that its tests expect, where it must
// leave nothing: no files of temporary directories that a panic kept, and no
// histories that rapid found to fail, for which it would search long as well.
func (b *bench) verdict(dir, bin string, args ...string) (out string, failed bool, err error) {
	cmd := exec.CommandContext(b.ctx, bin, args...) //nolint:gosec // just built
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+b.dir, "RAPID_NOFAILFILE=true", "RAPID_SHRINKTIME=0s")
	all, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return string(all), false, nil
	case b.ctx.Err() != nil:
		return "", false, b.ctx.Err()
	case errors.As(err, &exit):
		return string(all), true, nil
	}
	return "", false, fmt.Errorf("run what should catch it: %w", err)
}

// firstFailure is what a failed run says first: a test, or a broken invariant.
func firstFailure(out string) string {
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		for _, mark := range []string{"--- FAIL: ", "broke an invariant after", "panic: "} {
			if _, rest, ok := strings.Cut(line, mark); ok {
				return ": " + rest[:min(len(rest), 160)]
			}
		}
	}
	return ""
}
