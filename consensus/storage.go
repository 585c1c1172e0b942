package consensus

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// stores are the three places where raft keeps things.
type stores struct {
	log    raft.LogStore
	stable raft.StableStore
	snaps  raft.SnapshotStore
	probe  func(n uint64) error // a small write, as raft makes them
	close  func() error
}

// Memory keeps a node's log, votes and snapshots in memory. Like a disk it
// outlives the Store: the next Open with the same Memory is a restart.
type Memory struct {
	log    raft.LogStore
	stable raft.StableStore
	snaps  raft.SnapshotStore
	delay  atomic.Int64 // of every append, in nanoseconds
	opened atomic.Int64 // how often
}

// SlowDown makes every append from now on take that long, as on a bad disk; what
// takes longer than Tuning.StoreDeadline hangs.
func (m *Memory) SlowDown(d time.Duration) { m.delay.Store(int64(d)) }

// slowLog is a Memory's log, which takes its time. What is still on its way when
// the Memory is opened again died with its process.
type slowLog struct {
	raft.LogStore
	m    *Memory
	life int64
}

var errDied = errors.New("the process that wrote this is gone")

func (l slowLog) StoreLog(log *raft.Log) error { return l.StoreLogs([]*raft.Log{log}) }

func (l slowLog) StoreLogs(logs []*raft.Log) error {
	if d := l.m.delay.Load(); d > 0 {
		time.Sleep(time.Duration(d))
		if l.m.opened.Load() != l.life {
			return errDied
		}
	}
	return l.LogStore.StoreLogs(logs)
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	store := raft.NewInmemStore()
	return &Memory{log: store, stable: store, snaps: raft.NewInmemSnapshotStore()}
}

// Forget empties a Memory whose Store is closed.
func (m *Memory) Forget() {
	fresh := NewMemory()
	m.log, m.stable, m.snaps = fresh.log, fresh.stable, fresh.snaps
}

func (m *Memory) open() *stores {
	probe := func(n uint64) error {
		time.Sleep(time.Duration(m.delay.Load()))
		return m.stable.SetUint64(probeKey, n)
	}
	return &stores{log: slowLog{m.log, m, m.opened.Add(1)}, stable: m.stable, snaps: m.snaps, probe: probe, close: func() error { return nil }}
}
