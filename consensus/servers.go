package consensus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/cluster"
)

// Server is a member of raft's configuration.
type Server struct {
	ID    cluster.NodeID
	Addr  string // where it is now, "" when that is not known
	Voter bool
}

// Bootstrap makes this node the only voter of a new cluster. The store must be
// empty, else ErrNotEmpty.
func (s *Store) Bootstrap(ctx context.Context) error {
	me := raft.Server{ID: raft.ServerID(s.cfg.NodeID), Address: raft.ServerAddress(s.cfg.NodeID)}
	_, err := s.ask(ctx, func(time.Duration) raft.Future {
		return s.raft.BootstrapCluster(raft.Configuration{Servers: []raft.Server{me}})
	})
	if errors.Is(err, raft.ErrCantBootstrap) {
		return fmt.Errorf("bootstrap: %w", ErrNotEmpty)
	}
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	return nil
}

// Servers returns raft's newest configuration that this node has seen. The
// change that made it may not be committed yet.
func (s *Store) Servers() []Server {
	f := s.raft.GetConfiguration()
	servers := f.Configuration().Servers
	out := make([]Server, 0, len(servers))
	for _, m := range servers {
		id := cluster.NodeID(m.ID)
		addr, _ := s.cfg.Addr(id)
		out = append(out, Server{ID: id, Addr: addr, Voter: m.Suffrage == raft.Voter})
	}
	return out
}

// AddNonvoter makes a node receive the log without a vote.
func (s *Store) AddNonvoter(ctx context.Context, id cluster.NodeID) error {
	return s.reconfigure(ctx, "add a non-voter", id, func(wait time.Duration) raft.Future {
		return s.raft.AddNonvoter(raft.ServerID(id), raft.ServerAddress(id), 0, wait)
	})
}

// AddVoter gives a node a vote. It should be a non-voter that is caught up.
func (s *Store) AddVoter(ctx context.Context, id cluster.NodeID) error {
	return s.reconfigure(ctx, "add a voter", id, func(wait time.Duration) raft.Future {
		return s.raft.AddVoter(raft.ServerID(id), raft.ServerAddress(id), 0, wait)
	})
}

// Demote takes a node's vote; it still receives the log.
func (s *Store) Demote(ctx context.Context, id cluster.NodeID) error {
	return s.reconfigure(ctx, "demote", id, func(wait time.Duration) raft.Future {
		return s.raft.DemoteVoter(raft.ServerID(id), 0, wait)
	})
}

// Remove takes a node out of the configuration. A live one becomes a silent
// follower until its agent closes its store, or AddNonvoter takes it back.
func (s *Store) Remove(ctx context.Context, id cluster.NodeID) error {
	err := s.reconfigure(ctx, "remove", id, func(wait time.Duration) raft.Future {
		return s.raft.RemoveServer(raft.ServerID(id), 0, wait)
	})
	if err == nil {
		s.trans.progress.forget(id)
	}
	return err
}

func (s *Store) reconfigure(ctx context.Context, what string, id cluster.NodeID, request func(time.Duration) raft.Future) error {
	if _, err := s.ask(ctx, request); err != nil {
		return fmt.Errorf("%s %s: %w", what, id, err)
	}
	return nil
}

// Follows reports, on the leader, up to where a member's log is known to agree
// with this one, and whether the member keeps up: it answers, and holds what is
// committed or is being sent a snapshot. Between two entries a healthy one lags
// for a moment.
func (s *Store) Follows(id cluster.NodeID) (match uint64, keepsUp bool) {
	commit := s.raft.CommitIndex()
	peer, ok := s.trans.progress.of(id, s.raft.CurrentTerm())
	if !ok {
		return 0, false
	}
	answers := time.Since(peer.LastContact) <= 2*s.cfg.Tuning.Heartbeat
	return peer.Match, answers && (peer.Match >= commit || peer.installing)
}

// CaughtUp reports, on the leader, whether a member answers and holds the log
// but for the last few entries.
func (s *Store) CaughtUp(id cluster.NodeID) bool {
	commit := s.raft.CommitIndex()
	peer, ok := s.trans.progress.of(id, s.raft.CurrentTerm())
	return ok && s.raft.State() == raft.Leader &&
		peer.Match > 0 && peer.Match+maxAppend >= commit &&
		time.Since(peer.LastContact) <= 2*s.cfg.Tuning.Heartbeat
}
