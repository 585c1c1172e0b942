// Package client calls Muster's HTTP API: over the local unix socket, or over
// ssh to another host's socket.
//
// It owns how a call is sent, how long it is tried and what an answer means. It
// may not know what a user typed or sees (cli) nor how a call is served
// (api/server).
//
// Reads are sent again once when the connection broke. A write carries a request
// ID and is sent again, with the same ID, while the cluster has no leader or the
// outcome is not known, for RetryFor at most. Errors of the agent come back as
// *api.Error, an agent that cannot be reached as *ConnectError.
//
// Start with New, then call.go; calls.go and streams.go are one method a route.
package client
