package consensus

import (
	"sync"

	"github.com/hashicorp/raft"
)

// herald tells followers at once what is committed. Raft itself tells them with
// the next entry, or after Tuning.Commit when there is none: short enough to be
// of use, that makes an idle leader send to every follower dozens of times a
// second (raft#282).
//
// What it sends is what raft would: an empty append behind the newest entry that
// the follower has acknowledged to this leader in this term, with the index that
// is committed of those. So it can be lost, late or doubled as any append can.
type herald struct {
	wake chan struct{} // a follower acknowledged, or something was committed
	send func(raft.ServerID, raft.ServerAddress, *raft.AppendEntriesRequest, *raft.AppendEntriesResponse) error
	jobs sync.WaitGroup

	mu    sync.Mutex
	term  uint64
	peers map[raft.ServerID]*audience
}

// audience is a follower as the herald knows it.
type audience struct {
	target raft.ServerAddress
	last   raft.AppendEntriesRequest // empty, behind the newest acknowledged entry
	told   uint64                    // the follower knows that all up to here is committed
	busy   bool
}

func newHerald(t *raft.NetworkTransport) *herald {
	return &herald{wake: make(chan struct{}, 1), send: t.AppendEntries, peers: map[raft.ServerID]*audience{}}
}

// news makes the herald look again.
func (h *herald) news() { poke(h.wake) }

// acknowledged notes an append that a follower took. Heartbeats name no entry.
func (h *herald) acknowledged(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest) {
	last := *args
	last.Entries = nil
	if n := len(args.Entries); n > 0 {
		last.PrevLogEntry, last.PrevLogTerm = args.Entries[n-1].Index, args.Entries[n-1].Term
	}
	if last.PrevLogEntry == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if last.Term < h.term {
		return
	}
	if last.Term > h.term {
		h.term = last.Term
		clear(h.peers)
	}
	p := h.peers[id]
	if p == nil {
		p = &audience{}
		h.peers[id] = p
	}
	p.target = target
	p.told = max(p.told, min(last.LeaderCommitIndex, last.PrevLogEntry))
	if last.PrevLogEntry >= p.last.PrevLogEntry {
		p.last = last
		h.lookFor(p)
	}
}

// lookFor makes the herald look again if a follower holds what it does not know
// to be committed: raft's own repetition brings an idle one no such news. The
// lock is held.
func (h *herald) lookFor(p *audience) {
	if p.told < p.last.PrevLogEntry {
		poke(h.wake)
	}
}

// announce sends each follower what it does not know. The term must have been
// read after the index: while it is still the one of the acknowledgements,
// nothing that this log has up to the index can be another entry there.
func (h *herald) announce(committed, term uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if term != h.term {
		return
	}
	for id, p := range h.peers {
		news := min(committed, p.last.PrevLogEntry)
		if p.busy || news <= p.told {
			continue
		}
		p.busy = true
		args, target := p.last, p.target
		args.LeaderCommitIndex = news
		h.jobs.Go(func() { h.tell(id, target, p, &args) })
	}
}

func (h *herald) tell(id raft.ServerID, target raft.ServerAddress, p *audience, args *raft.AppendEntriesRequest) {
	var resp raft.AppendEntriesResponse
	err := h.send(id, target, args, &resp)
	h.mu.Lock()
	defer h.mu.Unlock()
	p.busy = false
	if err != nil || !resp.Success {
		if h.peers[id] == p {
			delete(h.peers, id) // until it acknowledges to raft again
		}
		return
	}
	p.told = max(p.told, args.LeaderCommitIndex)
	h.lookFor(p)
}

// spreadCommits runs the herald until raft has ended.
func (s *Store) spreadCommits() {
	h := s.trans.herald
	defer close(s.heralded)
	defer h.jobs.Wait() // the transport is closed: every call comes back
	for {
		select {
		case <-h.wake:
			committed := s.raft.CommitIndex()
			h.announce(committed, s.raft.CurrentTerm())
		case <-s.stopped:
			return
		}
	}
}
