// Package agent is the daemon on every host: it builds all parts, introduces
// them to each other, starts them in order and stops them in reverse.
//
// It owns the data directory, the way of a host into and out of a cluster, and
// the adapters between parts that may not know each other. It decides nothing
// about services: that is the leader's (controller), carried out by
// agent/worker.
//
// Start with Run, then member.go (what runs while the host is in a cluster) and
// voter.go (what runs besides on a voter).
package agent
