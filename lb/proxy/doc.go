// Package proxy carries TCP connections and UDP datagrams from the published
// ports of this node to the tasks behind them, in user space.
//
// It owns the listeners, the connections and their counters. Where a
// connection goes is lb's decision: every connection reads the current
// lb.Table through an atomic pointer, so a new table takes effect with the next
// connection. The package may not know where tables come from.
//
// Start with Proxy.Set, then port (one listener's life), then session (one
// connection's life). To it a UDP client is a connection like others (packets).
package proxy
