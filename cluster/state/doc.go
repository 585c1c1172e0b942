// Package state is the replicated state machine: what the cluster has decided,
// as a pure function of the commands applied to it.
//
// It owns the closed set of commands, what each does, the read-only View, the
// event history and the snapshot format. It may not know raft, time, chance or
// the network: times and IDs come inside commands, iteration is in key order,
// and the same commands give the same bytes on every voter.
//
// Start with Command and the Body types (what can happen), then State.Apply,
// then View (what can be read).
package state
