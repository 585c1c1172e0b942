package server

import (
	"context"
	"sync"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// How long a call waits for a node that could answer it before it is served by
// this one, as far as that can be done: whoever asks on a side of a cut that has
// no leader is answered within a second. A node that is busy answers in
// milliseconds.
const (
	hedgeAfter = 200 * time.Millisecond // the leader is asked alone
	seekLimit  = 500 * time.Millisecond // the leader, and then the others
	hopLimit   = 200 * time.Millisecond // the leader, by whom another node has chosen
)

// seek finds the node to pass the call on to: the leader, or if that does not
// answer a voter that has a leader, though the link from here is cut. A worker,
// which holds no state, is content with any voter. All those are asked at once.
func (c *call) seek(leader cluster.NodeID) (cluster.NodeID, bool) {
	ctx, cancel := context.WithTimeout(c.ctx, seekLimit)
	defer cancel()
	_, voter := c.State.View()
	s := search{done: cancel, content: !voter}
	silent := make(chan struct{}) // or there is no leader to ask
	s.asking.Go(func() {
		defer close(silent)
		if leader != "" && c.health(ctx, leader) != nil {
			s.found(leader, true)
		}
	})
	alone := time.NewTimer(hedgeAfter)
	defer alone.Stop()
	select {
	case <-silent:
	case <-alone.C:
	}
	for _, m := range c.Nodes.Members() {
		if ctx.Err() != nil {
			break
		}
		if !m.Voter || m.ID == c.Self || m.ID == leader {
			continue
		}
		s.asking.Go(func() {
			if h := c.health(ctx, m.ID); h != nil {
				s.answered(m.ID, *h)
			}
		})
	}
	s.asking.Wait()
	return s.best, s.best != ""
}

// search is for a node to pass a call on to.
type search struct {
	done    func() // nobody knows better
	content bool   // with a node that has no leader
	asking  sync.WaitGroup

	mu   sync.Mutex
	best cluster.NodeID
	led  bool
}

func (s *search) answered(id cluster.NodeID, h api.Health) {
	if h.Leader || s.content {
		s.found(id, h.Leader)
	}
}

func (s *search) found(id cluster.NodeID, led bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.best != "" && (s.led || !led) {
		return
	}
	s.best, s.led = id, led
	if led {
		s.done()
	}
}
