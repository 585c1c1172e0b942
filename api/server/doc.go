// Package server answers Muster's HTTP API on every node: on the local socket
// and on the TLS port.
//
// It owns the route table, who may call what, relaying a call to the node that
// can answer it, and the translation between replicated state and wire types.
// It may not know raft, gossip, Docker or the proxy: it asks for what it needs
// through the small interfaces of backend.go, which the agent fulfils.
//
// Start with routes.go: every call, its access rule and where it is served are
// one line each.
package server
