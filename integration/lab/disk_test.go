//go:build linux

package lab

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A disk that hangs takes no write and gives what it has; once it is let go, the
// write that waited is done.
func TestDiskThatHangs(t *testing.T) {
	if err := Available(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	disk := filepath.Join(dir, "data")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := mountImage(filepath.Join(dir, diskImage), disk, 32<<20); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := thawAll(dir); err != nil {
			t.Error(err)
		}
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	file := filepath.Join(disk, "file")
	if err := os.WriteFile(file, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := freeze(disk, fiFreeze); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- os.WriteFile(file, []byte("after"), 0o600) }()
	select {
	case err := <-done:
		t.Fatalf("a hung disk took a write: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := thaw(disk); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "after" {
		t.Errorf("the file holds %q: %v", b, err)
	}
	if err := thaw(disk); err != nil {
		t.Errorf("thaw one that does not hang: %v", err)
	}
}
