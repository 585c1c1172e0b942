//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lockFile is the same for every user of the machine: links, rules and
	// control groups of two labs would collide. It holds the directory of the
	// lab that has, or had, the lock.
	lockFile = "/run/muster-lab.lock"
	// marker is the file that tells a lab's directory from any other one: only
	// directories that have it are ever removed.
	marker = ".muster-lab"
	// defaultParent is the directory, among the temporary files, of labs that
	// were not given one.
	defaultParent = "muster-lab"
)

// acquire takes the machine-wide lock, waiting for another lab until ctx ends.
// The kernel gives it back when this process dies.
func acquire(ctx context.Context, log io.Writer) (*os.File, error) {
	f, err := os.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the lab: %w", err)
	}
	waits := false
	err = poll(ctx, 100*time.Millisecond, func() (bool, error) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			if !waits {
				waits = true
				fmt.Fprintln(log, "another lab runs on this machine: waiting for it")
			}
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the lab (%s): %w", lockFile, err), f.Close())
	}
	return f, nil
}

// recordedDir is the directory of the lock's last holder, empty if that lab was
// closed in order.
func recordedDir(lock *os.File) string {
	b := make([]byte, unix.PathMax)
	n, _ := lock.ReadAt(b, 0)
	return strings.TrimSpace(string(b[:n]))
}

func recordDir(lock *os.File, dir string) error {
	if err := lock.Truncate(0); err != nil {
		return fmt.Errorf("record the lab's directory: %w", err)
	}
	if _, err := lock.WriteAt([]byte(dir), 0); err != nil {
		return fmt.Errorf("record the lab's directory: %w", err)
	}
	return nil
}

// claimDir makes dir the lab's: new, empty, or an earlier lab's, which it empties.
func claimDir(dir string) error {
	if err := removeDir(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the lab's directory: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read the lab's directory: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("lab directory %s holds something that is not a lab's: name another one", dir)
	}
	return os.WriteFile(filepath.Join(dir, marker), nil, 0o600)
}

// removeDir removes dir if it is a lab's. The marker goes last, so that an
// interrupted removal can be taken up again.
func removeDir(dir string) error {
	if dir == "" || !exists(filepath.Join(dir, marker)) {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("remove the lab's directory: %w", err)
	}
	for _, e := range entries {
		if e.Name() == marker {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("remove the lab's directory: %w", err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the lab's directory: %w", err)
	}
	if parent := filepath.Dir(dir); filepath.Base(parent) == defaultParent {
		_ = os.Remove(parent) // stays if another lab's directory is in it
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// poll calls cond at once and then every period until it is true, fails, or ctx
// ends.
func poll(ctx context.Context, every time.Duration, cond func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if ok, err := cond(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
