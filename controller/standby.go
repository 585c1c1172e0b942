package controller

import (
	"context"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/placement"
)

const (
	// standbyEvery is how often the leader looks which nodes may need which
	// images. Failing over does not wait for it.
	standbyEvery = 5 * time.Second
	// standbyNodes is for how many nodes a service, besides its own, an image
	// is brought before it is needed.
	standbyNodes = 2
)

// Standby are the images that a node is likely to need when a host dies.
func (c *Controller) Standby(node cluster.NodeID) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.standby[node]
}

// keepStandby works out who may need which images, until ctx ends.
func (l *loop) keepStandby(ctx context.Context) {
	tick := time.NewTicker(standbyEvery)
	defer tick.Stop()
	var last uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		v := l.cfg.Store.View()
		if v.Hash() == last {
			continue
		}
		last = v.Hash()
		standby := placement.Standby(v, nil, standbyNodes)
		l.mu.Lock()
		l.standby = standby
		l.mu.Unlock()
	}
}
