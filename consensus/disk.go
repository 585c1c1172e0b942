package consensus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	boltFile        = "raft.db"
	lockWait        = time.Second
	retainSnapshots = 2
)

// openDisk opens the files under dir after looking through them. Its errors are
// ErrLocked, an *os.PathError and the like when the system refuses, and
// otherwise mean that the files are damaged; see damaged.
func openDisk(dir string, cfg *Config) (*stores, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	path := filepath.Join(dir, boltFile)
	span, err := inspect(path)
	if err != nil {
		return nil, locked(err, dir)
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(dir, retainSnapshots, newRaftLog(cfg.Logger))
	if err != nil {
		return nil, fmt.Errorf("open the snapshots: %w", err)
	}
	if err := checkCoverage(span, snaps); err != nil {
		return nil, err
	}
	var bolt *raftboltdb.BoltStore
	err = protect(func() (err error) {
		bolt, err = raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: boltOptions(false)})
		return err
	})
	if err != nil {
		return nil, locked(fmt.Errorf("open %s: %w", path, err), dir)
	}
	return &stores{log: bolt, stable: bolt, snaps: snaps, probe: func(n uint64) error { return bolt.SetUint64(probeKey, n) }, close: bolt.Close}, nil
}

func boltOptions(readOnly bool) *bbolt.Options {
	return &bbolt.Options{
		Timeout: lockWait, ReadOnly: readOnly,
		NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
	}
}

func locked(err error, dir string) error {
	if errors.Is(err, bolterrors.ErrTimeout) {
		return fmt.Errorf("open %s: %w; stop the other muster agent first", dir, ErrLocked)
	}
	return err
}

// damaged tells a store whose contents are wrong from one that the system does
// not let us open (permissions, a full disk, too many files): only the first is
// set aside. A file that should be there and is not counts as damage.
func damaged(err error) bool {
	var refused syscall.Errno
	for _, kind := range []error{ErrLocked, ErrStoreLost, ErrIncompatible, ErrStoreHung} {
		if errors.Is(err, kind) {
			return false
		}
	}
	return !errors.As(err, &refused) || refused == syscall.ENOENT
}

// setAside renames dir, so that the next Open starts empty, and returns the
// error that says so.
func setAside(dir string, cause error) error {
	broken := &BrokenError{Dir: dir, Err: cause}
	base := fmt.Sprintf("%s.broken-%s", filepath.Clean(dir), time.Now().UTC().Format("20060102T150405Z"))
	for n := 1; n < 100; n++ {
		aside := base
		if n > 1 {
			aside = fmt.Sprintf("%s-%d", base, n)
		}
		if _, err := os.Lstat(aside); err == nil {
			continue
		}
		if err := os.Rename(dir, aside); err != nil {
			broken.Err = errors.Join(cause, err)
			return broken
		}
		broken.Aside = aside
		return broken
	}
	return broken
}
