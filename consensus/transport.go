package consensus

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/cluster"
)

// transport is raft's network transport, watched: what followers acknowledge to
// this leader is the only source for how far each of them is.
type transport struct {
	*raft.NetworkTransport
	progress *progress
	herald   *herald
}

func newTransport(cfg *Config, s *streams) *transport {
	network := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		ServerAddressProvider: byID{},
		Stream:                s,
		MaxPool:               3,
		MaxRPCsInFlight:       1, // pipelining can deadlock and leave a follower behind for ever
		Timeout:               cfg.Tuning.RPC,
		Logger:                newRaftLog(cfg.Logger),
	})
	return &transport{NetworkTransport: network, progress: newProgress(), herald: newHerald(network)}
}

// byID makes the node ID the address, whatever the stored configuration says.
type byID struct{}

func (byID) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	return raft.ServerAddress(id), nil
}

func (t *transport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	sent := t.progress.tick()
	err := t.NetworkTransport.AppendEntries(id, target, args, resp)
	if err == nil && resp.Term <= args.Term {
		var match uint64
		if resp.Success {
			match = args.PrevLogEntry + uint64(len(args.Entries)) // 0 for a heartbeat
			t.herald.acknowledged(id, target, args)
		}
		t.progress.heard(id, args.Term, match)
		t.progress.answered(id, args.Term, sent)
	}
	return err
}

func (t *transport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	t.progress.install(id, true)
	defer t.progress.install(id, false)
	err := t.NetworkTransport.InstallSnapshot(id, target, args, resp, data)
	if err == nil && resp.Success {
		t.progress.heard(id, args.Term, args.LastLogIndex)
	}
	return err
}

// Peer is what a leader knows of a follower in its term.
type Peer struct {
	ID          cluster.NodeID
	Match       uint64    // the log is known to agree up to here
	LastContact time.Time // of the last answer

	asked      uint64 // the tick at which the newest request went out that it has answered
	installing bool   // a snapshot is on its way
}

type progress struct {
	ticks atomic.Uint64
	mu    sync.Mutex
	term  uint64
	peers map[raft.ServerID]Peer
}

func newProgress() *progress { return &progress{peers: map[raft.ServerID]Peer{}} }

func (p *progress) heard(id raft.ServerID, term, match uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if term < p.term {
		return
	}
	if term > p.term {
		p.term = term
		clear(p.peers)
	}
	peer := p.peers[id]
	peer.ID, peer.Match, peer.LastContact = cluster.NodeID(id), max(match, peer.Match), time.Now()
	p.peers[id] = peer
}

// install notes that a snapshot is on its way to a peer, or is no longer.
func (p *progress) install(id raft.ServerID, begins bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if peer, ok := p.peers[id]; ok {
		peer.installing = begins
		p.peers[id] = peer
	}
}

// of returns what is known of a peer in the given term.
func (p *progress) of(id cluster.NodeID, term uint64) (Peer, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	peer, ok := p.peers[raft.ServerID(id)]
	return peer, ok && p.term == term
}

func (p *progress) forget(id cluster.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.peers, raft.ServerID(id))
}
