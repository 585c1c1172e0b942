// Package virtual runs whole clusters of real agents in virtual time: real raft,
// real gossip, real mutual TLS and the real API, on a network, container engines
// and logs in memory (memnet, agent/gossip/gossiptest, runtime/fake,
// consensus.Memory), inside a testing/synctest bubble. A minute of a cluster
// takes a moment, and time-outs are exact.
//
// It owns the ring that its tests drive and the scenarios. It may not know the
// agent's insides: it asks over the local socket what a user would ask, and
// looks at the engines for the truth.
//
// The goroutines of a bubble run in an order of their own, so that two runs of a
// scenario differ in detail; what the same seed must repeat to the byte is the
// simulator's.
//
// Start reading at form_test.go, then ring_test.go for the verbs.
package virtual
