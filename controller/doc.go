// Package controller is what the leader does: it watches nodes die and return,
// decides what should exist and where, and proposes that to the log.
//
// It owns the loop and the order of the pure steps: cluster/health (which nodes
// are down), cluster/rollout (what should exist), placement (where), all merged
// into one command. It runs on the leader only. It may not know raft, gossip,
// HTTP or Docker; it asks for what it needs through the interfaces in config.go.
//
// Start with Decide, which is pure and is what the simulator runs, then Controller.Lead.
package controller
