// Package cluster holds the nouns of Muster: nodes, services, tasks, resources
// and the rules by which each is valid. They are plain values.
//
// It owns what a thing is and when it is well formed. It may not know how
// things are stored (cluster/state), decided (cluster/rollout, placement) or
// run (agent/worker, runtime); it imports the standard library only, reads no
// clock and starts no goroutine.
//
// Start with Service and ServiceSpec (what the user wants), Task (one slot of a
// service on one node) and TaskState (the word people see).
package cluster
