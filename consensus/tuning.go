package consensus

import "time"

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
