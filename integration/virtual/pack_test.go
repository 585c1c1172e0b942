package virtual

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// pack writes a data directory to an archive.
func pack(t *testing.T, dir, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewWriterLevel(file, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewWriter(zip)
	err = archive.AddFS(os.DirFS(dir))
	if err := errors.Join(err, archive.Close(), zip.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
}

// unpack is the way back, into a directory that exists.
func unpack(t *testing.T, path, dir string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	for archive := tar.NewReader(zip); ; {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = unpackOne(root, head, archive)
		}
		if err != nil {
			t.Fatalf("unpack %s: %v", path, err)
		}
	}
}

func unpackOne(root *os.Root, head *tar.Header, content io.Reader) error {
	if head.Typeflag == tar.TypeDir {
		return root.MkdirAll(head.Name, 0o700)
	}
	if err := root.MkdirAll(filepath.Dir(head.Name), 0o700); err != nil {
		return err
	}
	out, err := root.OpenFile(head.Name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, content)
	return errors.Join(err, out.Close())
}
