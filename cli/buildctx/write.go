package buildctx

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Write writes dir as a tar archive, in the order of the paths and owned by
// root. The Dockerfile, relative to dir, and the ignore file are in it even if
// they are excluded. Symbolic links are kept as they are and not followed;
// sockets, pipes and devices are left out.
func Write(ctx context.Context, w io.Writer, dir, dockerfile string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the build context: %w", err)
	}
	defer root.Close()
	dockerfile = path.Clean(filepath.ToSlash(dockerfile))
	if path.IsAbs(dockerfile) || strings.HasPrefix(dockerfile, "../") {
		return fmt.Errorf("the Dockerfile %s is outside of the build context %s", dockerfile, dir)
	}
	if _, err := root.Stat(dockerfile); err != nil {
		return fmt.Errorf("find the Dockerfile in %s: %w", dir, err)
	}
	rules, file, err := readIgnore(root, dockerfile)
	if err != nil {
		return err
	}
	p := &packer{root: root, tar: tar.NewWriter(w), rules: rules, always: map[string]bool{dockerfile: true, file: true}}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		return p.visit(name, d)
	})
	if err != nil {
		return fmt.Errorf("pack the build context: %w", err)
	}
	if err := p.tar.Close(); err != nil {
		return fmt.Errorf("pack the build context: %w", err)
	}
	return nil
}

// readIgnore reads the ignore file: the Dockerfile's own, or the directory's.
func readIgnore(root *os.Root, dockerfile string) (r rules, file string, err error) {
	for _, file := range []string{dockerfile + ".dockerignore", ".dockerignore"} {
		content, err := root.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", fmt.Errorf("read the build context's ignore file: %w", err)
		}
		r, err := parseRules(string(content))
		if err != nil {
			return nil, "", fmt.Errorf("read %s: %w", file, err)
		}
		return r, file, nil
	}
	return nil, "", nil
}

type packer struct {
	root   *os.Root
	tar    *tar.Writer
	rules  rules
	always map[string]bool
}

func (p *packer) visit(name string, d fs.DirEntry) error {
	if name == "." {
		return nil
	}
	if p.rules.exclude(name) && !p.always[name] {
		if d.IsDir() && !p.rules.reenter() && !p.holdsAlways(name) {
			return fs.SkipDir
		}
		return nil
	}
	info, err := d.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone since it was listed
	}
	if err != nil {
		return err
	}
	return p.add(name, info)
}

// holdsAlways reports whether a file that is sent in any case lies below dir.
func (p *packer) holdsAlways(dir string) bool {
	for name := range p.always {
		if strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	return false
}

func (p *packer) add(name string, info fs.FileInfo) error {
	link := ""
	switch mode := info.Mode(); {
	case mode.IsRegular(), mode.IsDir():
	case mode&fs.ModeSymlink != 0:
		var err error
		if link, err = p.root.Readlink(name); err != nil {
			return err
		}
	default:
		return nil
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	h.Name = name
	if info.IsDir() {
		h.Name += "/"
	}
	h.Uid, h.Gid, h.Uname, h.Gname = 0, 0, "", ""
	if err := p.tar.WriteHeader(h); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	f, err := p.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyN(p.tar, f, h.Size)
	return err
}
