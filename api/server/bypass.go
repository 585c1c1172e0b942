package server

import (
	"net/http"
	"sync"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// bypass finds a voter to pass the call on to when this node does not reach the
// leader: one that has a leader, though the link from here is cut. A worker,
// which holds no state, is content with any voter. All are asked at once.
func (c *call) bypass(leader cluster.NodeID) (cluster.NodeID, bool) {
	_, voter := c.State.View()
	var mu sync.Mutex
	var best cluster.NodeID
	var led bool
	var asking sync.WaitGroup
	ctx, cancel := withProbeTimeout(c.ctx)
	defer cancel()
	for _, m := range c.Nodes.Members() {
		if !m.Voter || m.ID == c.Self || m.ID == leader {
			continue
		}
		asking.Go(func() {
			var h api.Health
			if c.Peers.Call(ctx, m.ID, http.MethodGet, "/healthz", nil, &h) != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case h.Leader && !led:
				best, led = m.ID, true
				cancel() // nobody knows better
			case !led && !voter && best == "":
				best = m.ID
			}
		})
	}
	asking.Wait()
	return best, best != ""
}
