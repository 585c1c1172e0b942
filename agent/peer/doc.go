// Package peer reaches other nodes of the cluster over mutual TLS.
//
// It owns the connections between nodes: one HTTP/2 connection to each node for
// control calls and another for bulk, found by node ID and never by a stored
// address, given up within seconds when the other end is silent. It may not know
// what is said over them. Start with Pool.
package peer
