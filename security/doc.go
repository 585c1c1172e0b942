// Package security owns trust: the cluster's certificate authority, node
// certificates and their TLS rules, the listener that splits one port by
// ALPN, join tokens, values sealed under the cluster key, and the decision
// whether a caller may use a route.
//
// A certificate says who somebody is (cluster and node), never what they may
// do: that is looked up in replicated state on every call through [Lookup].
// Host names and addresses prove nothing here and are never checked.
//
// The package may not know the replicated state, the API's routes, raft, or
// the network beyond net.Listener. It imports the standard library only.
//
// Start reading at identity.go (what a node holds), then verify.go (the rules
// both ends of a connection apply), tls.go and mux.go (where they apply), and
// access.go (what a proven caller may do).
package security
