// Package fleettest is the language in which tests of the real binary on real
// Docker hosts are written: a cluster that several tests share and that is
// repaired between them, command lines that must succeed or be refused, the
// example service, and what an observer outside sees of it.
//
// It owns no scenario and breaks nothing: faults are verbs of lab.Host. It may
// not look into an agent's data.
//
// Start reading at ring.go, then cluster.go.
package fleettest
