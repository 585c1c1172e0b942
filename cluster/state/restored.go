package state

import (
	"time"

	"github.com/musterhq/muster/cluster"
)

// Restored is a state that holds these objects and nothing else: what a decision
// rests on, recorded elsewhere. Its cluster has no keys, and its log one entry.
func Restored(now time.Time, settings cluster.Settings, nodes []cluster.Node, services []cluster.Service, tasks []cluster.Task) *State {
	tx := begin(New().view, 1, now)
	tx.ident, tx.settings = &cluster.Identity{ID: "recording", Epoch: 1}, &settings
	for i := range nodes {
		tx.nodes.put(string(nodes[i].ID), &nodes[i])
	}
	for i := range services {
		tx.storeService(&services[i])
	}
	for i := range tasks {
		tx.storeTask(&tasks[i])
	}
	return &State{view: tx.commit()}
}
