package consensus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// span is the range of indexes in a log, zeros when it is empty. exists is
// false before the file's first use.
type span struct {
	exists      bool
	first, last uint64
	touched     byte // of what was read, so that reading is not optimised away
}

// inspect walks through a bolt file before it is opened for writing. Opening
// one for writing rebuilds its freelist in a goroutine of bolt's own, where a
// damaged page would crash the process; a walk of ours can recover.
func inspect(path string) (span, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return span{}, nil
	}
	if err != nil {
		return span{}, fmt.Errorf("look at the log: %w", err)
	}
	found := span{exists: true}
	err = protect(func() (err error) {
		db, err := bbolt.Open(path, 0o600, boltOptions(true))
		if err != nil {
			return err
		}
		defer db.Close()
		return db.View(func(tx *bbolt.Tx) error {
			return tx.ForEach(func(name []byte, b *bbolt.Bucket) error { return walk(name, b, &found) })
		})
	})
	if err != nil {
		return span{}, fmt.Errorf("read through %s: %w", path, err)
	}
	return found, nil
}

// walk visits every page of a bucket: keys ascend, and those of the log are
// indexes without a gap.
func walk(name []byte, b *bbolt.Bucket, found *span) error {
	var last []byte
	logs := string(name) == "logs"
	return b.ForEach(func(k, v []byte) error {
		if last != nil && bytes.Compare(last, k) >= 0 {
			return fmt.Errorf("bucket %q: keys out of order", name)
		}
		last = k
		if len(v) > 0 {
			found.touched ^= v[len(v)-1] // faults when the file is cut short
		}
		if !logs {
			return nil
		}
		if len(k) != 8 {
			return fmt.Errorf("bucket %q: a key of %d bytes", name, len(k))
		}
		index := binary.BigEndian.Uint64(k)
		if found.first == 0 {
			found.first = index
		} else if index != found.last+1 {
			return fmt.Errorf("the log jumps from entry %d to %d", found.last, index)
		}
		found.last = index
		return nil
	})
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
