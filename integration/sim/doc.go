// Package sim runs whole clusters in one goroutine and virtual time, from one
// seed: the same seed gives the same run, step by step.
//
// It owns the models of what the pure parts stand on (raft, the network, hosts,
// Docker), the faults that befall them and the users who work meanwhile. What
// decides is the real code: cluster/state, cluster/health, controller.Decide
// with cluster/rollout and placement in it, consensus/voters, agent/worker.Plan
// and lb. The shells around it (the leader's loop, the worker's executor, the
// feed, the heartbeat) are mirrored here, because goroutines cannot be replayed;
// their rules follow the originals named at each.
//
// It may not read the clock, use chance that is not the world's, or depend on
// the order of a map. Goroutines stand around whole worlds only (Seeds).
//
// A run has three parts: users and faults at work, then everything heals but for
// hosts that stay dead, then it must settle (package invariants). A seed that
// fails prints its last steps and how to run it again.
//
// Start with Run and World, then host.go, raft.go, agent.go, leader.go.
package sim
