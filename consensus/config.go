package consensus

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// MaxCommand is the largest encoded command that Propose takes, in bytes.
const MaxCommand = 8 << 20

// maxAppend is how many entries go into one call and one batch to the FSM.
const maxAppend = 64

// Config is what a Store needs from its surroundings.
type Config struct {
	NodeID cluster.NodeID
	// DataDir holds the log and the snapshots, and nothing else: when it is
	// damaged it is renamed as a whole. Unused with Memory.
	DataDir string
	// Memory replaces the files, for tests that run in virtual time.
	Memory *Memory
	// Resume says that this node had a log: an empty store has lost it, and Open
	// answers ErrStoreLost.
	Resume bool

	// Listener yields raft streams of authenticated voters. The Store closes it,
	// also when Open fails.
	Listener net.Listener
	// Dial opens a raft stream to a node and has authenticated it.
	Dial func(ctx context.Context, node cluster.NodeID, addr string, timeout time.Duration) (net.Conn, error)
	// Addr says where a node is now. Raft's own configuration holds no address.
	Addr func(node cluster.NodeID) (addr string, ok bool)

	// Commands is the newest version of commands that this node applies; 0 means
	// state.Version. Less is how tests play an older binary.
	Commands int

	// Raised is told that the log is about to hold a command of a version for the
	// first time since Open; without its consent it will not. Optional.
	Raised func(version int) error

	Tuning Tuning
	Logger *slog.Logger
}

func (c *Config) check() error {
	switch {
	case c.NodeID == "":
		return errors.New("consensus: no node ID")
	case c.Listener == nil || c.Dial == nil || c.Addr == nil:
		return errors.New("consensus: Listener, Dial and Addr are required")
	case c.DataDir == "" && c.Memory == nil:
		return errors.New("consensus: no data directory")
	}
	if c.Commands == 0 {
		c.Commands = state.Version
	}
	if c.Tuning == (Tuning{}) {
		c.Tuning = TuningFor(0)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func (c *Config) raft() *raft.Config {
	r := raft.DefaultConfig()
	r.LocalID = raft.ServerID(c.NodeID)
	r.HeartbeatTimeout = c.Tuning.Heartbeat
	r.ElectionTimeout = c.Tuning.Election
	r.LeaderLeaseTimeout = c.Tuning.Lease
	r.CommitTimeout = c.Tuning.Commit
	r.MaxAppendEntries = maxAppend
	r.BatchApplyCh = true
	r.SnapshotInterval = c.Tuning.SnapshotInterval
	r.SnapshotThreshold = c.Tuning.SnapshotThreshold
	r.TrailingLogs = c.Tuning.TrailingLogs
	r.ShutdownOnRemove = false // the agent decides when a removed node stops
	r.NoLegacyTelemetry = true
	r.Logger = newRaftLog(c.Logger)
	return r
}
