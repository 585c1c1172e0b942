package consensus

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// SlowFsync is where a disk deserves a warning: a commit costs two fsyncs in
// series and an election about four.
const SlowFsync = 50 * time.Millisecond

// Tuning holds raft's protocol parameters. The zero value means TuningFor(0).
type Tuning struct {
	// Heartbeat is how long a follower waits for its leader before it stands
	// for election, Election how long a candidate waits, Lease how long a leader
	// serves without hearing from a quorum (at most Heartbeat).
	Heartbeat, Election, Lease time.Duration
	// Pace is ten times the shortest pause between a leader's heartbeats, and five
	// times the longest (at least Heartbeat).
	Pace time.Duration
	// Commit is how soon an idle leader tells a follower again what is committed.
	// The first time it does so at once: see herald.
	Commit time.Duration
	// RPC bounds one call to a peer.
	RPC time.Duration
	// StoreDeadline is when an operation on the log store counts as hung.
	StoreDeadline time.Duration

	SnapshotInterval  time.Duration // between checks
	SnapshotThreshold uint64        // entries since the last snapshot
	TrailingLogs      uint64        // entries kept behind a snapshot
}

// TuningFor chooses parameters for a disk with the given fsync time. Elections
// stop when an fsync takes a fifth of the election timeout, so the timeouts are
// ten times the fsync, between 1 s and 10 s.
func TuningFor(fsync time.Duration) Tuning {
	timeout := min(max(10*fsync.Round(10*time.Millisecond), time.Second), 10*time.Second)
	return Tuning{
		Heartbeat: timeout, Election: timeout, Lease: timeout,
		Pace:              2 * timeout,
		Commit:            time.Second,
		RPC:               5 * time.Second,
		StoreDeadline:     5 * time.Second,
		SnapshotInterval:  time.Minute,
		SnapshotThreshold: 8192,
		TrailingLogs:      4096,
	}
}

// MeasureFsync returns the median time that a small write takes to reach the
// disk under dir. It takes about a second at most on a healthy disk. Its error
// matches ErrStoreFull where there is no room.
func MeasureFsync(dir string) (took time.Duration, err error) {
	defer func() {
		if full(err) {
			err = fmt.Errorf("%w: %w", ErrStoreFull, err)
		}
	}()
	f, err := os.CreateTemp(dir, ".fsync-*")
	if err != nil {
		return 0, fmt.Errorf("measure the disk under %s: %w", dir, err)
	}
	defer os.Remove(f.Name())
	defer f.Close()

	const samples, budget = 15, time.Second
	page := make([]byte, 4096)
	var all []time.Duration
	for start := time.Now(); len(all) < samples && (len(all) < 3 || time.Since(start) < budget); {
		begun := time.Now()
		if _, err := f.Write(page); err != nil {
			return 0, fmt.Errorf("measure the disk under %s: %w", dir, err)
		}
		if err := f.Sync(); err != nil {
			return 0, fmt.Errorf("measure the disk under %s: %w", dir, err)
		}
		all = append(all, time.Since(begun))
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}
