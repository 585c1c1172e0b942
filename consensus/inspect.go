package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"

	"github.com/musterhq/muster/consensus/boltcheck"
)

// span is the range of indexes in a log, zeros when it is empty. exists is
// false before the file's first use.
type span struct {
	exists      bool
	first, last uint64
}

// inspect reads through a bolt file before it is opened for writing: bolt would
// crash the process on some kinds of damage. A lock is held meanwhile.
func inspect(path string) (span, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return span{}, nil
	}
	if err != nil {
		return span{}, fmt.Errorf("look at the log: %w", err)
	}
	found := span{exists: true}
	err = protect(func() error {
		db, err := bbolt.Open(path, 0o600, boltOptions(true)) // reads the meta pages only
		if err != nil {
			return err
		}
		defer db.Close()
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		if info, err = file.Stat(); err != nil { // its size under the lock
			return err
		}
		return boltcheck.Walk(file, info.Size(), db.Info().PageSize, found.visit)
	})
	if err != nil {
		return span{}, fmt.Errorf("read through %s: %w", path, err)
	}
	return found, nil
}

// visit checks that the log's keys are indexes without a gap.
func (s *span) visit(bucket string, key, _ []byte) error {
	if bucket != "logs" {
		return nil
	}
	if len(key) != 8 {
		return fmt.Errorf("bucket %q: a key of %d bytes", bucket, len(key))
	}
	index := binary.BigEndian.Uint64(key)
	if s.first == 0 {
		s.first = index
	} else if index != s.last+1 {
		return fmt.Errorf("the log jumps from entry %d to %d", s.last, index)
	}
	s.last = index
	return nil
}

// checkCoverage makes sure that the newest readable snapshot and the log behind
// it join up, and that no snapshot lies beside a log that has vanished with its
// votes.
func checkCoverage(log span, snaps raft.SnapshotStore) error {
	list, err := snaps.List()
	if err != nil {
		return fmt.Errorf("list the snapshots: %w", err)
	}
	if len(list) > 0 && !log.exists {
		return errors.New("there are snapshots, but the log and the votes are gone")
	}
	var base uint64
	var unreadable error
	for _, meta := range list { // newest first
		_, r, err := snaps.Open(meta.ID)
		if err != nil {
			unreadable = errors.Join(unreadable, fmt.Errorf("snapshot %s: %w", meta.ID, err))
			continue
		}
		_ = r.Close() // only its checksum was of interest
		base = meta.Index
		break
	}
	if log.first > base+1 {
		return errors.Join(fmt.Errorf("the log begins at entry %d, the newest readable snapshot ends at %d", log.first, base), unreadable)
	}
	if base == 0 && unreadable != nil {
		return unreadable
	}
	return nil
}
