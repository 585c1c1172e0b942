// Package consensus keeps one replicated log for the cluster: it turns raft and
// a bolt file into Store, which applies commands to a cluster/state machine and
// hands out Views of it. It is the only importer of hashicorp/raft.
//
// It owns the log, its snapshots, the raft streams and their configuration. It
// may not know what the commands mean, who is authorised to dial (Listener and
// Dial come authenticated), where nodes live (Config.Addr) or who should vote
// (voters.Plan decides, Store carries it out).
//
// Trouble is handed up, never hidden. A log store that hangs, breaks, or holds
// a command which this binary does not know stops the node: Failed is closed,
// Err says why, and the process is expected to leave. A store that does not
// open is set aside. A voter that forgot its votes must not vote again as the
// same server: the caller has it leave raft's configuration before it returns.
//
// Start with Config and Open, then Store's methods by topic: propose.go,
// leadership.go, read.go, servers.go, status.go, watch.go; fsm.go is the state
// machine's side, guard.go the one that faces the disk.
package consensus
