// Package voters chooses which nodes vote in raft, as a pure function.
//
// It owns the answer to "what is the next change to raft's configuration, and
// why". It may not know raft, the network or the clock: what is known of each
// node is an argument, and so is the time. The caller carries out one change,
// waits until it is committed, and asks again with what is true then.
//
// Start with Plan; seats.go says who should vote, step.go how to get there one
// safe change at a time.
package voters
