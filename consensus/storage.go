package consensus

import (
	"github.com/hashicorp/raft"
)

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
	store *raft.InmemStore
	snaps *raft.InmemSnapshotStore
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{store: raft.NewInmemStore(), snaps: raft.NewInmemSnapshotStore()}
}

func (m *Memory) open() *stores {
	return &stores{log: m.store, stable: m.store, snaps: m.snaps, close: func() error { return nil }}
}
