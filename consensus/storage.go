package consensus

import "github.com/hashicorp/raft"

// stores are the three places where raft keeps things.
type stores struct {
	log    raft.LogStore
	stable raft.StableStore
	snaps  raft.SnapshotStore
	close  func() error
}

// Memory keeps a node's log, votes and snapshots in memory. Like a disk it
// outlives the Store: the next Open with the same Memory is a restart.
type Memory struct {
	log    raft.LogStore
	stable raft.StableStore
	snaps  raft.SnapshotStore
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	store := raft.NewInmemStore()
	return &Memory{log: store, stable: store, snaps: raft.NewInmemSnapshotStore()}
}

func (m *Memory) open() *stores {
	return &stores{log: m.log, stable: m.stable, snaps: m.snaps, close: func() error { return nil }}
}
