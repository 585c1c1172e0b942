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

// newStandby makes the chore that works out who may need which images.
func (l *loop) newStandby() func(context.Context) time.Duration {
	var last uint64
	return func(context.Context) time.Duration {
		v := l.cfg.Store.View()
		if v.Hash() == last {
			return standbyEvery
		}
		last = v.Hash()
		standby := placement.Standby(v, nil, standbyNodes)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.standby = standby
		return standbyEvery
	}
}
