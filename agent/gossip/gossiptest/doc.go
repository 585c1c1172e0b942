// Package gossiptest is a network in memory for gossip under test: packets and
// streams between hosts that can be cut (also one way), partitioned and
// killed. Nothing in it blocks on a dead host, so it works inside a
// testing/synctest bubble, where time is the bubble's.
//
// It is imported by tests only. Start reading at network.go.
package gossiptest
