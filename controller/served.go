package controller

import (
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// Served is the state that the balancers of all nodes go by whose hosts are not
// dead, or a later one: what left the tables before that gets no new connections.
// Zero where it is not known of every one of them.
func (c *Controller) Served(v state.View) api.Position {
	c.mu.Lock()
	defer c.mu.Unlock()
	var oldest *api.Position
	for n := range v.Nodes() {
		if n.Condition == cluster.Down {
			continue
		}
		serves := c.heard[n.ID].Serves
		if serves == nil {
			return api.Position{}
		}
		if oldest == nil || serves.Before(*oldest) {
			oldest = serves
		}
	}
	if oldest == nil {
		return api.Position{}
	}
	return *oldest
}
